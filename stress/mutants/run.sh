#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: run.sh [NAME...]      Can stress find what it is for?  Each fault of the list, or those named, is planted in a copy of the sources;
# the scenario that is named with it must fail on that within 20 s, and did not without it.  Prints TAP.
set -eu
# shellcheck source=../../tests/tap.sh
. "$(dirname "$0")/../../tests/tap.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-gcc}
flags=(-std=gnu11 -O2 -g -w -pthread -D_GNU_SOURCE "-I$top_srcdir/stress" "-I$top_srcdir/tests")
[ "$(uname -m)" != x86_64 ] || flags+=(-mcx16)
export STRESS_SEED=1

# objects FOLDER SOURCE...
objects() {
  mkdir -p "$1"
  printf '%s\n' "${@:2}" | (cd "$1" && xargs -P "${jobs:-2}" -n 4 "$cc" "${flags[@]}" "-I$work/lib" -c)
}
cp -r "$top_srcdir/lib" "$work/lib"
# The drop-in's are another library's.
rm -f "$work"/lib/malloc*.c
compiles() {
  objects "$work/o" "$work"/lib/*.c && objects "$work/stress" "$top_srcdir"/stress/*.c "$top_srcdir/tests/vm_faults.c"
}
checked "the library and the scenarios compile" compiles || finish || exit 1

# program SCENARIO [OBJECT]: with an object in place of the library's.
program() {
  local object changed=${2-} more=() files=("$work/stress/$1.o")
  for object in stress object conserve preempt victim tracer vm_faults; do files+=("$work/stress/$object.o"); done
  for object in "$work"/o/*.o; do
    if [ "${object##*/}" = "${changed##*/}" ]; then files+=("$changed"); else files+=("$object"); fi
  done
  [ "$1" != page ] || more=("-Wl,--wrap=sysconf")
  "$cc" -pthread "${more[@]}" "${files[@]}" -o "$work/$1"
}
# attempt SCENARIO: its status.
attempt() {
  local said status=0
  said=$(timeout -k 5 150 "$work/$1" --seconds "$2" --limit 60 2>&1) || status=$?
  printf '%s\n' "$said" | grep -E 'not so|hangs|SKIP|slots of' | tail -n 2 || true
  return "$status"
}
found() {
  local status=0
  attempt "$1" 20 || status=$?
  if [ "$status" = 77 ]; then return 0; fi
  [ "$status" != 0 ]
}

while IFS= read -r line; do
  case $line in '' | '#'*) continue ;; esac
  name=$(awk -F ' ; ' '{ print $1 }' <<<"$line") file=$(awk -F ' ; ' '{ print $2 }' <<<"$line")
  script=$(awk -F ' ; ' '{ print $3 }' <<<"$line") scenario=$(awk -F ' ; ' '{ print $4 }' <<<"$line")
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  rm -rf "$work/changed"
  mkdir "$work/changed"
  sed -E "$script" "$work/lib/$file" >"$work/changed/$file"
  if cmp -s "$work/lib/$file" "$work/changed/$file"; then
    nok "$name: the change applies to $file"
    continue
  fi
  builds() { objects "$work/changed" "$work/changed/$file" && program "$scenario" "$work/changed/${file%.c}.o"; }
  if checked "$name: compiles" builds; then
    check "$name: $scenario finds it: $(awk -F ' ; ' '{ print $5 }' <<<"$line")" found "$scenario"
  fi
done <"$top_srcdir/stress/mutants/list"

# Without a fault nothing is found.
if [ $# = 0 ]; then
  while read -r scenario; do
    well() { program "$1" && { attempt "$1" 1 || [ $? = 77 ]; }; }
    check "without a fault: $scenario finds nothing" well "$scenario"
  done < <(awk -F ' ; ' '/^[a-z]/ { print $4 }' "$top_srcdir/stress/mutants/list" | sort -u)
fi
finish
