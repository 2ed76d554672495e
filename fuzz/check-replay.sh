#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every target runs its corpus and its regressions: a result each, of both libraries.  That these can fail is shown by the faults
# fuzz/mutants plants.
set -eu
# shellcheck source=../tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"

# replays PROGRAM NAME: runs all its inputs; there has to be one at least.
replays() {
  local input said status
  # A regression in a process of its own, for some need one in which nothing was.
  for input in "$top_srcdir/fuzz/regress/$2"/* "$top_srcdir/fuzz/corpus/$2"; do
    [ -e "$input" ] || continue
    status=0
    said=$(timeout 120 "$top_builddir/fuzz/$1" "$input" 2>&1) || status=$?
    printf '%s\n' "$said" | tail -n 20
    [ "$status" = 0 ] && [[ $said =~ [1-9][0-9]*\ inputs?$ ]] || return 1
  done
}

for source in "$top_srcdir"/fuzz/fuzz_*.c; do
  program=$(basename "$source" .c)
  check "$program" replays "$program" "${program#fuzz_}"
  check "${program}_instrumented" replays "${program}_instrumented" "${program#fuzz_}"
done
finish
