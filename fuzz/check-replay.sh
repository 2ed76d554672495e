#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every target runs its corpus and its regressions: a result each, of both libraries.  That these can fail is shown by the faults
# fuzz/mutants plants.
set -eu
# shellcheck source=../tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"

# replays PROGRAM NAME: runs all its inputs; there has to be one at least.
replays() {
  local folders=("$top_srcdir/fuzz/corpus/$2") said status=0
  # First, for some need a process in which nothing was.
  [ ! -d "$top_srcdir/fuzz/regress/$2" ] || folders=("$top_srcdir/fuzz/regress/$2" "${folders[@]}")
  said=$(timeout 120 "$top_builddir/fuzz/$1" "${folders[@]}" 2>&1) || status=$?
  printf '%s\n' "$said" | tail -n 20
  [ "$status" = 0 ] && [[ $said =~ [1-9][0-9]*\ inputs$ ]]
}

for source in "$top_srcdir"/fuzz/fuzz_*.c; do
  program=$(basename "$source" .c)
  check "$program" replays "$program" "${program#fuzz_}"
  check "${program}_instrumented" replays "${program}_instrumented" "${program#fuzz_}"
done
finish
