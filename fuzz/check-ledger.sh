#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ledger adds up, and a line that does not is found.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
export top_srcdir=$top
# shellcheck source=../tests/tap.sh
. "$top/tests/tap.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
check "fuzz/LEDGER" bash "$top/fuzz/ledger.sh"
# planted NAME LINE
planted() {
  printf '%s\n' "$2" >"$scratch/ledger"
  check_fails "$1" bash "$top/fuzz/ledger.sh" "$scratch/ledger"
}
planted "a planted line with a field too few is found" "0000000 ; 2026-01-01 ; api ; libFuzzer ; address ; 10 ; none"
planted "planted seconds that are no number are found" "0000000 ; 2026-01-01 ; api ; libFuzzer ; address ; ten ; none ; DONE"
planted "a planted finding without a regression is found" "0000000 ; 2026-01-01 ; api ; libFuzzer ; address ; 10 ; a crash ; DONE"
planted "a planted path of the machine is found" "0000000 ; 2026-01-01 ; api ; libFuzzer ; address ; 10 ; none ; SUMMARY: SEGV /somewhere/lib/pool.c:1 in f"
# The regressions that it names are there.
named() {
  local file bad=0
  while read -r file; do
    [ -e "$top/$file" ] || { echo "$file is missing" && bad=1; }
  done < <(awk -F ' *; *' '!/^#/ && $7 ~ /^fuzz\/regress\// { print $7 }' "$top/fuzz/LEDGER")
  return "$bad"
}
check "each regression that the ledger names is there" named
finish
