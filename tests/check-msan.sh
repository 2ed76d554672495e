#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The instrumented library in programs that have MemorySanitizer: what is fresh or freed is uninitialised, and the report
# says whose allocation or free made it so; what was asked for as zero is not.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
unset MSAN_OPTIONS
report='WARNING: MemorySanitizer: use-of-uninitialized-value'
fresh() { says "$1" uninitialised -- "$report" ' in branch_here' 'created by\|marked as uninitialized' ' in copse_annotate_alloc' ' in allocate_here' \
  ' in fault_uninitialised'; }
again() { says "$1" uninitialised_again -- "$report" ' in branch_here' 'created by\|marked as uninitialized' ' in allocate_here' ' in fault_uninitialised_again'; }
freed() { says "$1" freed_is_uninitialised -- "$report" ' in branch_here' 'created by\|marked as uninitialized' ' in free_here' ' in fault_freed'; }

compilers -fsanitize=memory
for cc in "${found[@]}"; do
  objects=()
  msan=("$cc" -fsanitize=memory -fsanitize-memory-track-origins)
  checked "$cc: a program is built" program "$cc" "${msan[@]}" || continue
  check "$cc: nothing is said of a program without fault" silent "$cc" none
  check "$cc: nothing is said of one with threads" silent "$cc" busy
  check "$cc: nothing is said of what copse does where the stack is unwritten" silent "$cc" unwritten_stack
  check "$cc: nor of what it hands to a function of the program's" says "$cc" called_back -- "^came to its end" "^status 0"
  check "$cc: zeroed memory is initialised" silent "$cc" zeroed
  check "$cc: allocated memory is not" fresh "$cc"
  check "$cc: nor is a slot's second life" again "$cc"
  check "$cc: freed memory is not" freed "$cc"

  with_fault() {
    local text=$1 header=$2 word=$3
    shift 3
    if fault "$header" "$word" "$cc" && program "$header" "${msan[@]}"; then
      check_fails "$cc: fault: $text" "$1" "$header" "${@:2}"
    else
      nok "$cc: fault: $text" "it does not compile"
    fi
  }
  with_fault "of allocations nothing is said" no_alloc copse_annotate_alloc fresh
  with_fault "of frees nothing is said" no_free copse_annotate_free freed
done
finish
