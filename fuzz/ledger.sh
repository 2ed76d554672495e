#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: ledger.sh [FILE]      Adds up fuzz/LEDGER, by target and engine: CPU hours, and what was found.  Hours count from the last
# change of lib/ on: those of commits whose lib/ is that of HEAD are a sum of their own, where git can tell.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
ledger=${1:-$top/fuzz/LEDGER}
now=$(git -C "$top" rev-parse HEAD:lib 2>/dev/null || echo none)
same=" "
for commit in $(awk -F ';' '!/^#/ && NF { print $1 }' "$ledger" | tr -d ' ' | sort -u); do
  if [ "$(git -C "$top" rev-parse "$commit:lib" 2>/dev/null || true)" = "$now" ]; then same+="$commit "; fi
done
awk -F ' *; *' -v same="$same" '
  /^#/ || !NF { next }
  NF != 8 { printf "line %d: %d fields of 8\n", FNR, NF; bad = 1; next }
  $6 !~ /^[0-9]+$/ { printf "line %d: %s is no number of seconds\n", FNR, $6; bad = 1; next }
  $7 != "none" && $7 !~ /^fuzz\/regress\// && $7 !~ /^harness/ { printf "line %d: a finding is its file in fuzz/regress, or harness\n", FNR; bad = 1; next }
  $8 ~ /(^|[ (])\/[^ ]*\// { printf "line %d: a path of some machine\n", FNR; bad = 1; next }
  { key = $3 " " $4 " " $5; seconds[key] += $6; all += $6; kind = $4 == "stress"; if (index(same, " " $1 " ")) fresh[kind] += $6; if ($7 != "none") found++ }
  END {
    for (key in seconds) printf "%9.2f CPU hours  %s\n", seconds[key] / 3600, key | "sort -k 4"
    close("sort -k 4")
    printf "%9.2f CPU hours in all, of them since the last change of lib/ %.2f of fuzzing and %.2f of stress; %d findings\n", all / 3600,
      fresh[0] / 3600, fresh[1] / 3600, found
    exit bad
  }' "$ledger"
