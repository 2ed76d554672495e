#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The instrumented library, which has no sanitizer, in programs that have AddressSanitizer: each fault in copse's memory gets
# the class that it would have in malloc's, and copse's own lines with both stacks inside the report.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
# Leaks are check-lsan.sh's.
run=(env ASAN_OPTIONS=detect_leaks=0)
over='ERROR: AddressSanitizer: heap-buffer-overflow on address'
stale='ERROR: AddressSanitizer: heap-use-after-free on address'
allocated=('allocated by thread' '#0 .* in allocate_here')
freed=('freed by thread' '#0 .* in free_here')

overflow() { says "$1" overflow -- "$over" '#0 .* in write_here' '0 bytes after a block of 13 bytes' "${allocated[@]}" ABORTING; }
underflow() { says "$1" underflow -- "$over" '1 bytes before a block of 48 bytes' "${allocated[@]}" ABORTING; }
stale() {
  says "$1" after_free -- "$stale" '#0 .* in write_here' '7 bytes inside a block of 40 bytes' "${allocated[@]}" "${freed[@]}" ABORTING
}
never() { says "$1" far -- 'ERROR: AddressSanitizer: \(use-after-poison\|SEGV\)' "copse\|inside a slot" ABORTING; }
# What no callback of copse's adds to.
bare() { says "$1" "$2" -- "$over" ABORTING; }
fenced() { says "$1" far -- 'ERROR: AddressSanitizer: use-after-poison' ABORTING; }

compilers -fsanitize=address
for cc in "${found[@]}"; do
  objects=()
  asan=("$cc" -fsanitize=address)
  checked "$cc: a program is built" program "$cc" "${asan[@]}" || continue
  check "$cc: nothing is said of a program without fault" silent "$cc" none
  check "$cc: nothing is said of one with threads" silent "$cc" busy
  check "$cc: nor where what moves is poisoned" silent "$cc" fenced
  check "$cc: one byte behind 13" overflow "$cc"
  check "$cc: one byte behind 16" says "$cc" overflow_16 -- "$over" '0 bytes after a block of 16 bytes' "${allocated[@]}" ABORTING
  check "$cc: one byte before" underflow "$cc"
  check "$cc: one byte behind a span" says "$cc" span_overflow -- "$over" '0 bytes after a block of 3000001 bytes' \
    "${allocated[@]}" ABORTING
  check "$cc: after free" stale "$cc"
  check "$cc: after realloc" says "$cc" after_realloc -- "$stale" '7 bytes inside a block of 40 bytes' "${allocated[@]}" \
    'freed by thread' 'in fault_after_realloc' ABORTING
  check "$cc: a span after free" says "$cc" span_after_free -- "$stale" '1000000 bytes inside a block of 3000000 bytes' \
    "${allocated[@]}" "${freed[@]}" ABORTING
  check "$cc: memory that was never handed out" never "$cc"
  ASAN_OPTIONS=allow_user_poisoning=0 run=(env ASAN_OPTIONS=allow_user_poisoning=0)
  check "$cc: it does not start where ASan would not listen" says "$cc" none -- \
    '^copse: ASAN_OPTIONS has allow_user_poisoning=0' 'status 134' '!came to its end'
  run=(env ASAN_OPTIONS=detect_leaks=0)

  # with_fault TEXT HEADER WORD CHECK...: the check fails in a program with the fault.
  with_fault() {
    local text=$1 header=$2 word=$3
    shift 3
    if fault "$header" "$word" "$cc" && program "$header" "${asan[@]}"; then
      check_fails "$cc: fault: $text" "$1" "$header" "${@:2}"
    else
      nok "$cc: fault: $text" "it does not compile"
    fi
  }
  with_fault "of allocations nothing is said" no_alloc copse_annotate_alloc silent none
  with_fault "of frees nothing is said" no_free copse_annotate_free stale
  with_fault "of fresh memory nothing is said" no_fresh copse_annotate_fresh fenced
  with_fault "the redzone is the caller's" room_for_size copse_annotate_alloc overflow
  with_fault "nothing is added to reports" no_report copse_annotate_on_report overflow
done
finish
