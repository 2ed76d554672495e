#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Can the death tests fail?  One thing a time is taken away from the instrumented library (tests/faults/NAME.h: an
# annotation, a check, a memory order), and the test that is named with it must turn red, which without the fault is green.
#
#   check-faults.sh [NAME]...      all faults, or those named
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
: "${CC:=gcc}"
export CC

# fault header; a word of it, whose users are compiled with it, or @ and sources of lib/; death test, column, variant
faults='
no_alloc      ; copse_annotate_alloc       ; overflow_write asan misused
no_alloc      ; copse_annotate_alloc       ; race_block tsan misused
no_alloc      ; copse_annotate_alloc       ; uninitialised_again msan misused
no_alloc      ; copse_annotate_alloc       ; overflow_write valgrind misused
no_alloc      ; copse_annotate_alloc       ; leak valgrind misused
no_free       ; copse_annotate_free        ; write_after_free asan misused
no_free       ; copse_annotate_free        ; race_free tsan misused
no_free       ; copse_annotate_free        ; read_freed_decides msan misused
no_free       ; copse_annotate_free        ; write_after_free valgrind misused
no_fresh      ; copse_annotate_fresh       ; write_never_handed_out asan misused
no_fresh      ; copse_annotate_fresh       ; write_never_handed_out valgrind misused
room_for_size ; copse_annotate_alloc       ; overflow_write asan misused
room_for_size ; copse_annotate_alloc       ; overflow_odd valgrind misused
no_reserved   ; copse_annotate_reserved    ; leak_of_malloc asan clean
no_reserved   ; copse_annotate_reserved    ; race_block tsan misused
no_report     ; copse_annotate_on_report   ; write_after_free asan misused
wrong_shadow  ; @annotate                  ; write_after_free asan misused
no_redzone    ; @annotate                  ; overflow_span asan misused
no_enter      ; copse_annotate_\(enter\|enter_at\|leave\) ; race_hidden tsan misused
no_stack      ; @guard                     ; double_free plain misused
no_canary     ; @guard                     ; overflow_write plain misused
no_pattern    ; @guard                     ; write_after_free plain misused
no_pattern    ; @guard                     ; write_after_quarantine plain misused
no_quarantine ; @guard                     ; write_after_free plain misused
no_state      ; @guard                     ; double_free plain misused
no_state      ; @guard                     ; double_free_threads plain misused
no_pool_check ; @copse                     ; metadata plain misused
no_rank       ; @lock                      ; lock_rank plain misused
'

# The results of one death test with the objects in $2...: "ok" or "not ok" lines of run.sh.
death() {
  local program=$1 column=$2
  shift 2
  DEATH_LIBRARY="$* $archive" DEATH_COLUMNS=$column bash "$top_srcdir/tests/death/run.sh" "$program" 2>&1 || true
}

# with_fault HEADER WHERE PROGRAM COLUMN VARIANT: prints what the test said; fails unless it is red, and not for another reason.
is_red() {
  local header=$1 where=$2 program=$3 column=$4 variant=$5 source said
  objects=()
  if [ "${where#@}" != "$where" ]; then
    for source in ${where#@}; do
      objects+=("$scratch/$header-$source.o")
      "$CC" "${lib_flags[@]}" -include "$top_srcdir/tests/faults/$header.h" -c "$top_srcdir/lib/$source.c" -o "${objects[-1]}" || return
    done
  else
    fault "$header" "$where" "$CC" || return
  fi
  said=$(death "$program" "$column" "${objects[@]}")
  grep -E '^(not )?ok |^# not so' <<<"$said" | cut -c 1-150
  ! grep -q 'it does not compile' <<<"$said" && grep -Eq "^not ok [0-9]+ - $program: $column by .*, $variant\$" <<<"$said"
}

is_green() {
  local said
  said=$(death "$1" "$2")
  if grep -q '^not ok' <<<"$said" || ! grep -q '^ok ' <<<"$said"; then
    printf '%s\n' "$said"
    return 1
  fi
}

declare -A green
while IFS=';' read -r header where test; do
  read -r header <<<"$header"
  read -r where <<<"$where"
  read -r program column variant <<<"$test"
  [ -n "$header" ] || continue
  [ $# = 0 ] || [[ " $* " == *" $header "* ]] || continue
  if [ -z "${green[$program $column]-}" ]; then
    green[$program $column]=$(death "$program" "$column" | grep -c SKIP || true)
    [ "${green[$program $column]}" != 0 ] || check "without a fault: $program, $column" is_green "$program" "$column"
  fi
  if [ "${green[$program $column]}" != 0 ]; then
    skip "$header: $program, $column" "the tool is not here"
  else
    check "$header: $program turns red: $column, $variant" is_red "$header" "$where" "$program" "$column" "$variant"
  fi
done <<<"$faults"
finish
