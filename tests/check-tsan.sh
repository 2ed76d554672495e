#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ThreadSanitizer.  Variant `user`: the instrumented library, which has no sanitizer, in programs that have TSan: their races
# in copse's memory are reported, with the block, and those that copse's own synchronisation would hide as well.
# Variant `selfcheck`: copse compiled with TSan: what it does itself is ordered, and an order that is missing is reported.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
unset TSAN_OPTIONS
report='WARNING: ThreadSanitizer: data race'
user_archive=$archive

race() { says "$1" race "${@:2}" -- "$report" '#0 write_here' '#0 write_here' 'heap block of size 40' 'allocate_here' 'reported 1 warning'; }
hidden_race() { says "$1" race_hidden "${@:2}" -- "$report" '#0 hidden_two' '#0 hidden_one' "global '*shared'*" 'reported 1 warning'; }
stale() {
  says "$1" after_free_elsewhere "${@:2}" -- "$report" '#0 write_here' 'Previous write' 'free_here' 'heap block of size 40' \
    'allocate_here' 'reported 1 warning'
}

with_fault() {
  local text=$1 header=$2 word=$3
  shift 3
  if fault "$header" "$word" "${tsan[@]}" && program "$cc-$header" "$cc" -fsanitize=thread; then
    check_fails "$cc: fault: $text" "$1" "$cc-$header" "${@:2}"
  else
    nok "$cc: fault: $text" "it does not compile"
  fi
}

compilers -fsanitize=thread
for cc in "${found[@]}"; do
  objects=() archive=$user_archive tsan=("$cc")
  checked "$cc: a program is built" program "$cc" "$cc" -fsanitize=thread || continue
  check "$cc: nothing is said of a program without fault" silent "$cc" none
  check "$cc: nothing is said of one with threads" silent "$cc" busy
  check "$cc: nothing is said of slots that change threads" silent "$cc" recycled
  check "$cc: nor of a lock where another one was, far inside a span" silent "$cc" relocked
  check "$cc: a race in an allocation, and which" race "$cc"
  check "$cc: a race that copse's locks would hide" hidden_race "$cc"
  check "$cc: a free and an access of another thread" stale "$cc"
  check "$cc: selfcheck is not for this library" says "$cc" none tsan 1 -- '^copse: tsan=1 is for a library' 'came to its end'
  with_fault "copse's locks are not hidden" no_enter 'copse_annotate_\(enter\|enter_at\|leave\)' hidden_race
  with_fault "of frees nothing is said" no_free copse_annotate_free stale
  with_fault "of allocations nothing is said" no_alloc copse_annotate_alloc race
  with_fault "of the reservation nothing is said" no_reserved copse_annotate_reserved race

  # The whole library with TSan: `selfcheck` is what it starts with.
  objects=() tsan=("$cc" -fsanitize=thread)
  whole_library "${tsan[@]}" >"$scratch/whole" 2>&1 || {
    nok "$cc: copse compiled with TSan" "$(cat "$scratch/whole")"
    continue
  }
  checked "$cc: a program is built with it" program "$cc-self" "${tsan[@]}" || continue
  for variant in 1 0; do
    check "$cc: tsan=$variant: nothing is said of a program without fault" silent "$cc-self" none tsan "$variant"
    check "$cc: tsan=$variant: nothing is said of one with threads" silent "$cc-self" busy tsan "$variant"
    check "$cc: tsan=$variant: nothing is said of slots that change threads" silent "$cc-self" recycled tsan "$variant"
    check "$cc: tsan=$variant: a race in an allocation, and which" race "$cc-self" tsan "$variant"
  done
  check "$cc: tsan=0: a race that copse's locks would hide" hidden_race "$cc-self" tsan 0
  check "$cc: tsan=0: a free and an access of another thread" stale "$cc-self" tsan 0
  with_fault "a push without release" relaxed_push cas_pair_release silent recycled
  with_fault "a pop without acquire" relaxed_pop cas_pair_acquire silent recycled
done
finish
