#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles and runs the programs of this directory under each tool, and holds them to what their heads say.  Prints TAP.
#
#   run.sh [NAME]...      all of them, or those named
#
# DEATH_COLUMNS    which of plain asan tsan msan valgrind; all by default
# DEATH_COMPILERS  of asan, tsan and msan; by default $CC, and clang for msan if $CC has none.  "all": gcc, clang, clang-19
# DEATH_LIBRARY    the static library, by default that of the build
# DEATH_RESULTS    a file for the cells of the table, a line each: NAME COLUMN TEXT
# DEATH_FLAGS      more flags for the compiler
# DEATH_LIMIT      seconds that a program may take, by default 120
# What is not there is skipped, and said.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tap.sh"
export LC_ALL=C
unset LD_PRELOAD ASAN_OPTIONS TSAN_OPTIONS MSAN_OPTIONS LSAN_OPTIONS
ulimit -c 0

: "${CC:=gcc}" "${DEATH_COLUMNS:=plain asan tsan msan valgrind}" "${DEATH_COMPILERS:=}"
: "${DEATH_LIBRARY:=$top_builddir/lib/.libs/libcopse-instrumented.a}"
export DEATH_LIBRARY top_srcdir

flags_of() {
  case $1 in
    asan) echo -fsanitize=address ;;
    tsan) echo -fsanitize=thread ;;
    msan) echo -fsanitize=memory -fsanitize-memory-track-origins=2 ;;
  esac
}

# run COLUMN PROGRAM [ORIGINS]: as a user of that tool would.
run() {
  case $1 in
    # Without vex-guest-chase=no valgrind 3.19 may name the caller of a small function.  Origins cost seconds.
    valgrind)
      exec valgrind -q --vex-guest-chase=no --error-exitcode=9 --track-origins="${3:-no}" --leak-check=full \
        --show-leak-kinds=definite --num-callers=20 "$2"
      ;;
    *) exec "$2" ;;
  esac
}

# The same, and what it was waiting for when the time is over.
watched() {
  run "$@" &
  local program=$! status=0
  trap 'stuck $program' TERM
  wait $program || status=$?
  return $status
}
stuck() {
  echo "did not end:"
  ps -o pid,ppid,stat,wchan:24,etimes,args -p "$1" --ppid "$1"
  ! command -v gdb >/dev/null || timeout 20 gdb -q -batch -p "$1" -ex 'thread apply all bt' </dev/null 2>&1 | grep '^[#T]'
  kill -KILL "$1"
}

# one SCRATCH NAME COLUMN COMPILER: leaves SCRATCH/NAME.COLUMN.COMPILER.{verdict,clean}, empty where all is as it must be,
# and .seen, the cell.
one() {
  local scratch=$1 name=$2 column=$3 compiler=$4 variant at status clean origins
  for variant in misused clean; do
    at=$scratch/$name.$column.${compiler//[^A-Za-z0-9]/_}.$variant
    clean=0
    [ "$variant" = misused ] || clean=1
    # shellcheck disable=SC2046,SC2086 # lists of flags
    if ! $compiler -std=gnu11 -O1 -g -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls -D_GNU_SOURCE -DCOPSE_INSTRUMENTED \
      -Wall -Wextra -Wno-use-after-free -Wno-unknown-warning-option \
      $([ $clean = 0 ] || echo -DCLEAN) ${DEATH_FLAGS-} $(flags_of "$column") -I"$top_srcdir/lib" "$here/$name.c" \
      -o "$at" $DEATH_LIBRARY -rdynamic -pthread >"$at.out" 2>&1; then
      { echo "not so: it does not compile" && cat "$at.out"; } >"$at.verdict"
      continue
    fi
    status=0 origins=no
    ! grep -q 'created by: ' "$here/$name.c" || origins=yes
    # Tests that make the system strict with memory for a moment hold this lock the other way: sanitizers do not start then.
    { exec 8</proc/sys/vm/overcommit_memory && flock -s 8; } 2>/dev/null || true
    { timeout --foreground -k 40 "${DEATH_LIMIT:-120}" bash -c 'ulimit -c 0; shift; '"$(declare -f run watched stuck)"'; watched "$@"' . . "$column" "$at" "$origins" >"$at.out" 2>&1 8<&-; } \
      2>/dev/null </dev/null || status=$?
    exec 8<&- || true
    awk -v column="$column" -v status=$status -v clean=$clean -f "$here/verify.awk" "$here/$name.c" "$at.out" >"$at.verdict"
    sed -n 's/^seen //p' "$at.verdict" >"$at.seen"
    if grep -q '^not so' "$at.verdict"; then cat "$at.out" >>"$at.verdict"; else : >"$at.verdict"; fi
    rm -f "$at"
  done
}

if [ "${1-}" = --one ]; then
  shift
  IFS=' ' read -r scratch name column compiler <<<"$1"
  one "$scratch" "$name" "$column" "$compiler"
  exit 0
fi

[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library is compiled with $COPSE_SANITIZERS; the death tests are of the one that is not"

names=("$@")
if [ $# = 0 ]; then
  for file in "$here"/*.c; do
    name=${file##*/}
    names+=("${name%.c}")
  done
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/copse-death.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# Its name is in names of files, which have an end.
one_word "$scratch"

# Whether a compiler makes programs of a column that run.
echo 'int main(void) { return 0; }' >"$scratch/empty.c"
works() {
  # shellcheck disable=SC2046,SC2086 # flags, and a compiler's own
  $2 $(flags_of "$1") "$scratch/empty.c" -o "$scratch/empty" >/dev/null 2>&1 && (run "$1" "$scratch/empty") >/dev/null 2>&1
}

compilers_of() {
  case $1 in
    plain | valgrind) echo "$CC" ;;
    *)
      if [ "$DEATH_COMPILERS" = all ]; then
        case $1 in msan) printf '%s\n' clang clang-19 ;; *) printf '%s\n' gcc clang clang-19 ;; esac
      elif [ -n "$DEATH_COMPILERS" ]; then
        tr ' ' '\n' <<<"$DEATH_COMPILERS"
      elif [ "$1" = msan ] && ! works msan "$CC"; then
        echo clang
      else
        echo "$CC"
      fi
      ;;
  esac
}

runs=()
for column in $DEATH_COLUMNS; do
  while IFS= read -r compiler; do
    if works "$column" "$compiler"; then
      runs+=("$column $compiler")
    else
      skip "$column by $compiler" "not to be had here"
    fi
  done <<<"$(compilers_of "$column")"
done

for entry in "${runs[@]}"; do
  for name in "${names[@]}"; do printf '%s %s %s\0' "$scratch" "$name" "$entry"; done
done | xargs -0 -P "${DEATH_JOBS:-2}" -n 1 "$BASH" "${BASH_SOURCE[0]}" --one

results=${DEATH_RESULTS:-/dev/null}
[ "$results" = /dev/null ] || : >"$results"
for name in "${names[@]}"; do
  for entry in "${runs[@]}"; do
    column=${entry%% *} compiler=${entry#* }
    at=$scratch/$name.$column.${compiler//[^A-Za-z0-9]/_}
    for variant in misused clean; do
      title="$name: $column by $compiler, $variant"
      if [ ! -e "$at.$variant.verdict" ]; then
        nok "$title" "it was not run"
      elif [ -s "$at.$variant.verdict" ]; then
        nok "$title" "$(head -n 60 "$at.$variant.verdict")"
      else
        ok "$title"
      fi
    done
    # A cell is what was seen; where it is not what must be, it says so.
    if [ -s "$at.misused.verdict" ]; then
      printf '%s %s FAILED\n' "$name" "$column" >>"$results"
    else
      printf '%s %s %s\n' "$name" "$column" "$(cat "$at.misused.seen")" >>"$results"
    fi
  done
done
finish
