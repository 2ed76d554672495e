#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: run.sh [NAME...]      Can fuzzing find what it is for?  Each fault of the list, or those named, is planted in a copy of the
# sources; the target that is named with it begins at the seed corpus, under libFuzzer with AddressSanitizer and
# UndefinedBehaviorSanitizer, in turns on the release library and on the instrumented one, for at most 120 s in all.
# Prints TAP, and keeps the results in $FUZZ_WORK/mutants/results, from which table.sh makes doc/MUTANTS.
# A target that fails without a fault, or a change that changes nothing any more, is a failure.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
work=${FUZZ_WORK:-$top/build/fuzz}/mutants
export top_srcdir=$top
# shellcheck source=../../tests/tap.sh
. "$top/tests/tap.sh"
tree=$work/tree results=$work/results most=120
mkdir -p "$tree" "$work"
# What is not the same is copied with the time of now: a fault that an interrupted run left is compiled away.
(cd "$top" && find lib fuzz tests -type f ! -path '*/corpus/*') | while read -r file; do
  cmp -s "$top/$file" "$tree/$file" || { mkdir -p "$tree/${file%/*}" && cp "$top/$file" "$tree/$file"; }
done
rm -rf "$tree/fuzz/corpus" && cp -r "$top/fuzz/corpus" "$tree/fuzz/"
# What is built is the copy, and found by it.
real_top=$top top=$tree
# shellcheck source=../engines.sh
. "$real_top/fuzz/engines.sh"
[ $# -gt 0 ] || : >"$results"

# plant FILE SCRIPT: fails where it changes nothing.
plant() {
  sed -E "$2" "$real_top/lib/$1" >"$work/changed"
  if cmp -s "$work/changed" "$real_top/lib/$1"; then return 1; fi
  diff "$real_top/lib/$1" "$work/changed" | sed -n 's/^[<>]/&/p' | cut -c 1-150
  cat "$work/changed" >"$tree/lib/$1"
}
restore() { cat "$real_top/lib/$1" >"$tree/lib/$1"; }

# attempt PROGRAM SECONDS: finds the fault in so many seconds at most; how it was seen is in $seen.
attempt() {
  local dir=$work/libfuzzer-address log status=0
  rm -rf "$work/corpus"
  run_libfuzzer "$dir" "$1" "$2" || status=$?
  log=$dir/$1.log
  [ "$status" = 0 ] && return 1
  seen=$(grep -m 1 -o -E 'not so: .*|runtime error: .*|ERROR: [A-Za-z]*Sanitizer: [a-zA-Z-]*|ERROR: libFuzzer: [a-z -]*|^copse: .*' "$log" | cut -c 1-100) || true
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | head -n 1)
  [ -n "$seen" ]
}

# is_found NAME FILE TARGETS WHAT
is_found() {
  local name=$1 file=$2 what=$4 target program=none turn begin spent seen='' runs=''
  for target in $3; do
    build_engine libfuzzer address NAMES="$target" || return
    begin=$(date +%s%N)
    for turn in 5 5 25 25 $((most / 4)) $((most / 4)); do
      case $program in "fuzz_$target") program+=_instrumented ;; *) program=fuzz_$target ;; esac
      if attempt "$program" "$turn"; then
        spent=$((($(date +%s%N) - begin) / 100000000))
        printf '%s;%s;%s;%d.%d;%s;%s;%s\n' "$name" "$file" "$program" $((spent / 10)) $((spent % 10)) "${runs:-1}" "$what" "$seen" |
          tee -a "$results"
        return 0
      fi
    done
  done
  return 1
}

while IFS= read -r line; do
  case $line in '' | '#'*) continue ;; esac
  IFS=';' read -r name file _ <<<"$line"
  name=${name% } file=${file# } file=${file% }
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  script=$(awk -F ' ; ' '{ print $3 }' <<<"$line")
  targets=$(awk -F ' ; ' '{ print $4 }' <<<"$line")
  what=$(awk -F ' ; ' '{ print $5 }' <<<"$line")
  if checked "$name: the change applies to $file" plant "$file" "$script"; then
    check "$name: found: $what" is_found "$name" "$file" "$targets" "$what"
    restore "$file"
  fi
done <"$real_top/fuzz/mutants/list"

# Without a fault nothing is found.
sane() {
  build_engine libfuzzer address NAMES="$1" && ! attempt "fuzz_$1" 2 && ! attempt "fuzz_$1_instrumented" 2
}
if [ $# = 0 ]; then
  while read -r target; do
    check "without a fault: $target finds nothing" sane "$target"
  done < <(awk -F ' ; ' '/^[a-z]/ { n = split($4, t, " "); for (i = 1; i <= n; i++) print t[i] }' "$real_top/fuzz/mutants/list" | sort -u)
fi
finish
