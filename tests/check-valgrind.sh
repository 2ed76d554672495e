#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The instrumented library under valgrind's memcheck: copse's allocations are blocks to it, as malloc's are.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
command -v valgrind >/dev/null || skip_all "valgrind is not installed"
grep -q '^#define HAVE_VALGRIND_MEMCHECK_H 1' "$top_builddir/config.h" || skip_all "built without valgrind's headers"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
lib_flags+=(-DHAVE_VALGRIND_MEMCHECK_H)
run=(valgrind --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite)

clean() { says "$1" "$2" -- 'came to its end' 'ERROR SUMMARY: 0 errors' 'status 0'; }
allocated=(': allocate_here')
overflow() { says "$1" overflow -- 'Invalid write of size 1' ': write_here' '0 bytes after a block of size 13' "${allocated[@]}" 'status 9'; }
stale() {
  says "$1" after_free -- 'Invalid write of size 1' ': write_here' "7 bytes inside a block of size 40 free'd" ': free_here' \
    "${allocated[@]}" 'status 9'
}
never() { says "$1" far -- 'Invalid write of size 1' ': write_here' 'ERROR SUMMARY: 1 error\|SIGSEGV'; }
leak() { says "$1" leak -- '123 bytes in 1 blocks are definitely lost' ': allocate_here' ': lose_here' 'status 9'; }

objects=()
check "a program is built" program plain "${CC:-gcc}"
check "nothing is said of a program without fault" clean plain none
check "nor where what moves is without access" clean plain fenced
check "a program without frame pointers is built" program bare "${CC:-gcc}" -fomit-frame-pointer
check "nothing is said where its registers hold what nobody wrote" clean bare unwritten_registers
check "one byte behind 13" overflow plain
check "one byte behind 16" says plain overflow_16 -- 'Invalid write' '0 bytes after a block of size 16' "${allocated[@]}" 'status 9'
check "one byte before" says plain underflow -- 'Invalid write' '\(1 bytes before\|15 bytes after\) a block of size 48' "${allocated[@]}" 'status 9'
check "one byte behind a span" says plain span_overflow -- 'Invalid write' '0 bytes after a block of size 3,000,001' \
  "${allocated[@]}" 'status 9'
check "after free" stale plain
check "a span after free" says plain span_after_free -- 'Invalid write' "inside a block of size 3,000,000 free'd" ': free_here' \
  "${allocated[@]}" 'status 9'
check "memory that was never handed out" never plain
check "uninitialised" says plain uninitialised -- 'depends on uninitialised value' ': branch_here' 'status 9'
check "uninitialised in a second life" says plain uninitialised_again -- 'depends on uninitialised value' ': branch_here' 'status 9'
check "zeroed memory is initialised" says plain zeroed -- 'came to its end' '!uninitialised'
check "what copse's memory points at is no leak" says plain reachable -- 'definitely lost: 0 bytes' 'ERROR SUMMARY: 0 errors'
check "nothing is said of what uses copse behind its destructor" clean plain late
check "nor of a thread that runs on" clean plain late_beside
check "what nothing points at is one, of malloc's" says plain leak_malloc -- '77 bytes in 1 blocks are definitely lost' 'status 9'
check "and of copse's" leak plain

with_fault() {
  local text=$1 header=$2 word=$3
  shift 3
  if fault "$header" "$word" "${CC:-gcc}" && program "$header" "${CC:-gcc}"; then
    check_fails "fault: $text" "$1" "$header" "${@:2}"
  else
    nok "fault: $text" "it does not compile"
  fi
}
with_fault "of allocations nothing is said" no_alloc copse_annotate_alloc leak
with_fault "of frees nothing is said" no_free copse_annotate_free stale
with_fault "of fresh memory nothing is said" no_fresh copse_annotate_fresh overflow
with_fault "copse's own words are references" own_words copse_annotate_own_words leak
with_fault "the redzone is the caller's" room_for_size copse_annotate_alloc overflow
finish
