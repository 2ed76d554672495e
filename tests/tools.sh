# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts that build programs with a sanitizer against the instrumented library, which has none: source it behind
# tap.sh.  Leaves $scratch; $archive is the library as make built it.
#
# A planted fault is a header tests/faults/NAME.h, which takes one annotation or memory order away from the sources that are
# compiled with it.  The objects of those sources stand before the library, and so in place of its own.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Here compilers are lists of single words, and in names of files.
one_word "$scratch"
archive=$top_builddir/lib/.libs/libcopse-instrumented.a
lib_flags=(-std=gnu11 -pthread -O1 -g -fvisibility=hidden -fno-omit-frame-pointer -D_GNU_SOURCE -DCOPSE_INSTRUMENTED
  "-I$top_srcdir/lib" "-I$top_builddir")
[ "$(uname -m)" != x86_64 ] || lib_flags+=(-mcx16)
# Sources that name the word (a basic regular expression) of a fault, but those that define it.
users_of() { grep -l -w -e "$1" "$top_srcdir"/lib/*.c | grep -v -e '/annotate[^/]*$' -e '/malloc[^/]*$'; }

# compilers FLAG...: of $COPSE_TOOL_CC, else the one that built the library, those that are there and link with the flags; the others are said to be missing.
compilers() {
  local cc
  found=()
  for cc in ${COPSE_TOOL_CC:-${CC:-gcc}}; do
    if ! command -v "$cc" >/dev/null; then
      skip "$cc" "not installed"
    elif ! echo 'int main(void) { return 0; }' | "$cc" "$@" -x c - -o "$scratch/empty" 2>"$scratch/why" ||
      ! "$scratch/empty" >/dev/null 2>>"$scratch/why"; then
      note "$(cat "$scratch/why")"
      skip "$cc" "makes no program that runs with $*"
    else
      found+=("$cc")
    fi
  done
}

# fault NAME WORD CC FLAG...: compiles the sources that name WORD with the fault; the objects are left in $objects.
fault() {
  local name=$1 word=$2 cc=$3 source
  shift 3
  objects=()
  for source in $(users_of "$word"); do
    objects+=("$scratch/$name-$(basename "$source").o")
    "$cc" "${lib_flags[@]}" "$@" -include "$top_srcdir/tests/faults/$name.h" -c "$source" -o "${objects[-1]}" || return
  done
  [ ${#objects[@]} -gt 0 ]
}

# whole_library CC FLAG...: the library compiled anew, in $archive.
whole_library() {
  local cc=$1
  shift
  mkdir -p "$scratch/whole-$cc"
  archive=$scratch/whole-$cc/lib.a
  rm -f "$archive"
  (cd "$scratch/whole-$cc" && ls "$top_srcdir"/lib/*.c | grep -v '/malloc[^/]*$' |
    xargs -P "$(nproc)" -n 4 "$cc" "${lib_flags[@]}" "$@" -c && ar rcs lib.a ./*.o)
}

# program NAME CC FLAG...: tests/tool_program.c with $objects before $archive.
program() {
  local name=$1 cc=$2
  shift 2
  "$cc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-use-after-free -O1 -g -fno-omit-frame-pointer \
    -fno-optimize-sibling-calls "-I$top_srcdir/lib" "$@" \
    "$top_srcdir/tests/tool_program.c" "${objects[@]}" "$archive" -pthread -o "$scratch/$name" 2>"$scratch/compile" || {
    cat "$scratch/compile"
    return 1
  }
}

# says NAME ARGUMENT... -- PATTERN...: its output has a line for each pattern, in this order.  A pattern that begins with !
# matches none.
says() {
  local name=$1 arguments=() pattern status=0 from=1 at
  shift
  while [ "$1" != -- ]; do arguments+=("$1") && shift; done
  shift
  "${run[@]}" "$scratch/$name" "${arguments[@]}" >"$scratch/out" 2>&1 || status=$?
  printf 'status %s\n' "$status" >>"$scratch/out"
  for pattern in "$@"; do
    if [[ $pattern == !* ]]; then
      ! grep -n -e "${pattern#!}" "$scratch/out" || {
        head -n 60 "$scratch/out"
        return 1
      }
      continue
    fi
    at=$(tail -n "+$from" "$scratch/out" | grep -n -m 1 -e "$pattern" | cut -d : -f 1)
    if [ -z "$at" ]; then
      printf 'no line "%s" from line %s on of:\n' "$pattern" "$from"
      head -n 80 "$scratch/out"
      return 1
    fi
    from=$((from + at))
  done
}
run=(env)

# silent NAME ARGUMENT...: it comes to its end without a report.
silent() { says "$@" -- '^came to its end' '^status 0' '!ERROR: \|WARNING: \|SUMMARY: \|^copse: '; }
