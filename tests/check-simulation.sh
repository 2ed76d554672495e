#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The simulation on the instrumented library under each tool: no report, and the end to which it comes without a tool.
# Compiled with AddressSanitizer and UndefinedBehaviorSanitizer, ThreadSanitizer and MemorySanitizer on the library that has
# none; with ThreadSanitizer also on copse compiled with it, in both variants; without any under valgrind.
# COPSE_TOOL_CC: the compilers.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
unset ASAN_OPTIONS TSAN_OPTIONS MSAN_OPTIONS UBSAN_OPTIONS COPSE_OPTIONS
plain_archive=$archive
size=(--frames 90 --entities 2000 --threads 3)
silent_words='ERROR: [A-Za-z]*Sanitizer\|WARNING: [A-Za-z]*Sanitizer\|runtime error: \|^copse: \|^==[0-9]*== [A-Z]'

# simulation NAME CC FLAG...: examples/simulation with $objects and $archive.
simulation() {
  local name=$1 cc=$2
  shift 2
  "$cc" -std=gnu11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer "-I$top_srcdir/lib" "$@" \
    "$top_srcdir"/examples/sim*.c "${objects[@]}" "$archive" -pthread -lm -o "$scratch/$name"
}

# ends NAME [COMMAND...]: it comes to $expected, and nothing is said.
ends() {
  local name=$1 status=0
  shift
  "$@" "$scratch/$name" "${size[@]}" >"$scratch/out" 2>&1 || status=$?
  if [ "$status" != 0 ] || [ "$(sed -n 's/^checksum=//p' "$scratch/out")" != "$expected" ] || grep -q "$silent_words" "$scratch/out"; then
    head -n 60 "$scratch/out"
    echo "status $status, to come to $expected"
    return 1
  fi
}

objects=()
host=${CC:-gcc}
checked "without a tool: it is built" simulation plain "$host" || finish
expected=$("$scratch/plain" "${size[@]}" | sed -n 's/^checksum=//p') || true
there() { [ -n "$expected" ]; }
check "without a tool: it comes to its end" there
check "without a tool: nothing is said" ends plain env
if command -v valgrind >/dev/null && grep -q '^#define HAVE_VALGRIND_MEMCHECK_H 1' "$top_builddir/config.h"; then
  check "valgrind" ends plain valgrind -q --error-exitcode=9
else
  skip "valgrind" "it is not here, or its headers were not when the library was built"
fi

# under NAME CC FLAGS: built, and run.
under() {
  checked "$1: it is built" simulation "$1" "$2" "${@:3}" || return 0
  check "$1: no report" ends "$1" env
}

# red NAME CC FLAGS: a tool that hears nothing of allocations is not silent: so the run touches what it is about.  Orders that are
# missing are check-tsan.sh's: the simulation's own barriers hide them.
red() {
  local name=$1
  if fault no_alloc copse_annotate_alloc "$2" && simulation "fault-$name" "${@:2}"; then
    check_fails "$name: fault: of allocations nothing is said" ends "fault-$name" env
  else
    nok "$name: fault: of allocations nothing is said" "it does not compile"
  fi
  objects=()
}

compilers -fsanitize=address,undefined
for cc in "${found[@]}"; do
  under "asan,ubsan-$cc" "$cc" -fsanitize=address,undefined -fno-sanitize-recover=all
  red "asan,ubsan-$cc" "$cc" -fsanitize=address,undefined -fno-sanitize-recover=all
done

compilers -fsanitize=memory
for cc in "${found[@]}"; do under "msan-$cc" "$cc" -fsanitize=memory -fsanitize-memory-track-origins; done

compilers -fsanitize=thread
for cc in "${found[@]}"; do
  archive=$plain_archive objects=()
  under "tsan-$cc" "$cc" -fsanitize=thread
  # Not by check: it leaves $archive.
  whole_library "$cc" -fsanitize=thread >"$scratch/whole" 2>&1 || {
    nok "tsan-$cc: copse compiled with it" "$(cat "$scratch/whole")"
    continue
  }
  checked "tsan-$cc: the simulation with that" simulation "tsan-self-$cc" "$cc" -fsanitize=thread || continue
  for variant in 0 1; do
    check "tsan-$cc: tsan=$variant: no report" ends "tsan-self-$cc" env COPSE_OPTIONS="tsan=$variant"
  done
done
finish
