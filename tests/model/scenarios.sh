#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints doc/SCENARIOS: for each scenario a mutant that it kills, of those that it kills the one that the fewest others do.
# Usage: scenarios.sh MODEL, beside check-logic.sh, whose mutants stand in where the checker makes none.
set -eu
killed=$(mktemp)
trap 'rm -f "$killed"' EXIT
"$1" --killers >"$killed"
# "scenario <tab> what", of each change of logic.
sed -nE "s|^mutant [a-z_]+ '.*' ([a-z]+/[a-z0-9-]+) ['\"](.*)['\"]\$|\1\t\2|p" "$(dirname "$0")/check-logic.sh" |
  cat "$killed" - | LC_ALL=C sort -u | awk -F '\t' '
  NF == 2 { if (!($1 in logic)) logic[$1] = $2; next }
  { tried[$1]++; pair[$1, tried[$1]] = $2 }
  $3 == "killed" { kills[$1]++; others[$2]++; dead[$1, $2] = 1 }
  # Of two the one that another scenario does not have yet.
  END {
    print "copse: scenarios of the model checker"
    print "====================================="
    print ""
    print "Each scenario of tests/model/ can fail: below it stands a mutant that it kills, of those that it does the one that the fewest"
    print "others do.  In brackets how many of the mutants that it reaches it kills, each tried for 200 executions.  Written by"
    print "`make scenarios`; `make check-mutants` tries each again, and fails for a scenario that has none."
    print ""
    n = 0
    for (s in tried) name[++n] = s
    for (i = 2; i <= n; i++) { # sorted by name: awk has no sort
      s = name[i]
      for (k = i - 1; k >= 1 && name[k] > s; k--) name[k + 1] = name[k]
      name[k + 1] = s
    }
    bad = 0
    for (i = 1; i <= n; i++) {
      s = name[i]
      best = ""
      for (k = 1; k <= tried[s]; k++) {
        m = pair[s, k]
        if ((s, m) in dead && (best == "" || others[m] + used[m] < others[best] + used[best])) best = m
      }
      used[best]++
      printf "   %s  (%d of %d)\n", s, kills[s], tried[s]
      if (best != "") print "      " best
      else if (s in logic) print "      logic: " logic[s]
      else { print "      none"; bad = 1 }
    }
    exit bad
  }'
