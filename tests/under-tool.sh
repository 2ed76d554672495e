#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: under-tool.sh TOOL COMPILER [TEST...]
# The instrumented library and its unit tests (all, or those that are named) compiled for a tool and run under it.  Prints
# TAP: a test is ok if it ends well and the tool says nothing.  TOOL is one of
#   asan       AddressSanitizer and UndefinedBehaviorSanitizer      tsan       ThreadSanitizer, variant `selfcheck`
#   msan       MemorySanitizer                                      tsan-user  ThreadSanitizer, variant `user`
#   ubsan      UndefinedBehaviorSanitizer alone                     valgrind   memcheck
# What cannot run under a tool stands in under-tool.list, with the reason.
set -eu
tool=$1 cc=$2
shift 2
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
command -v "$cc" >/dev/null || skip_all "$cc is not installed"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
list=$top_srcdir/tests/under-tool.list
# shellcheck source=undefined.sh
. "$(dirname "$0")/undefined.sh"
undefined=-fsanitize=undefined
case $cc in *clang*) undefined=-fsanitize=$clang_undefined ;; esac
flags=() run=(timeout 300)
case $tool in
  asan) flags=(-fsanitize=address "$undefined" -fno-sanitize-recover=all) && export ASAN_OPTIONS=detect_leaks=0 ;;
  ubsan) flags=("$undefined" -fno-sanitize-recover=all) && export UBSAN_OPTIONS=print_stacktrace=1 ;;
  tsan) flags=(-fsanitize=thread) ;;
  tsan-user) flags=(-fsanitize=thread) && export COPSE_OPTIONS=tsan=0 ;;
  msan) flags=(-fsanitize=memory -fsanitize-memory-track-origins) ;;
  valgrind)
    command -v valgrind >/dev/null || skip_all "valgrind is not installed"
    lib_flags+=(-DHAVE_VALGRIND_MEMCHECK_H -DUNDER_VALGRIND)
    run+=(valgrind -q --error-exitcode=9)
    ;;
  *) echo "what is $tool?" >&2 && exit 2 ;;
esac
unset TSAN_OPTIONS

tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  for source in "$top_srcdir"/tests/test_*.c; do
    name=$(basename "$source" .c)
    case $name in test_malloc*) ;; *) tests+=("$name") ;; esac
  done
  tests+=(test_copse_cxx test_copse_hpp)
fi
# The C++ compiler that comes with it; the drop-in's operators, like its malloc, are the tools' own.
case $cc in *gcc*) cxx=${cc/gcc/g++} ;; *) cxx=${cc/clang/clang++} ;; esac
whole_library "$cc" "${flags[@]}" || {
  nok "the library"
  finish
}
compile_test() { # and says by what it is linked
  if [ -e "$top_srcdir/tests/$1.cc" ]; then
    linker=$cxx
    "$cxx" "${lib_flags[@]/#-std=*/-std=c++17}" "${flags[@]}" -c "$top_srcdir/tests/$1.cc" -o "$scratch/$1.o"
  else
    linker=$cc
    "$cc" "${lib_flags[@]}" -I"$top_srcdir/tests" "${flags[@]}" -c "$top_srcdir/tests/$1.c" -o "$scratch/$1.o"
  fi
}
# As make calls it.
link_test() {
  compile_test "$1" &&
    "$linker" "${flags[@]}" "$scratch/$1.o" "$scratch/vm_faults.o" "$archive" -lcmocka -pthread -ldl -o "$scratch/$1_instrumented"
}
compile_test vm_faults
# While another test has the system be strict with memory no sanitizer starts, and none forks: it holds this lock then.
unless_strict() {
  if grep -q 'setting_lock_within(OVERCOMMIT,' "$top_srcdir/tests/$1".c*; then "${@:2}"; else flock -s /proc/sys/vm/overcommit_memory "${@:2}"; fi
}
one() {
  link_test "$1" || return
  local status=0
  (cd "$scratch" && unless_strict "$1" "${run[@]}" "./$1_instrumented") >"$scratch/out" 2>&1 || status=$?
  if [ "$status" != 0 ] ||
    grep -q 'ERROR: [A-Za-z]*Sanitizer\|WARNING: [A-Za-z]*Sanitizer\|runtime error: \|^==[0-9]*== \(Invalid\|Mismatched\|Conditional\|Use of\|Syscall param\|Source and\)' "$scratch/out"; then
    head -n 200 "$scratch/out"
    echo "status $status"
    return 1
  fi
  rm -f "$scratch/$1_instrumented" "$scratch/$1.o"
}
for name in "${tests[@]}"; do
  why=$(sed -n "s/^$name  *\([a-z,-]*,\)\{0,1\}$tool\(,[a-z,-]*\)\{0,1\}  *//p" "$list")
  if [ -n "$why" ]; then
    skip "$tool, $cc: $name" "$why"
  else
    check "$tool, $cc: $name" one "$name"
  fi
done
finish
