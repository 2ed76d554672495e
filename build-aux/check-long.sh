#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: check-long.sh TARGET...      In a build tree: makes one target after the other, each one's output in check-long/TARGET.log, and
# says how each ended and after how many minutes.  One that fails does not keep the next from running.
# A target that passed is not made again while the commit and the build are the same and the tree has no change, so that a run that was cut
# short goes on where it was; `rm -r check-long` forgets.  Without git nothing is remembered.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd -P)
mkdir -p check-long

# What a result is of: nothing, where it cannot be said.
subject() {
  local commit
  [ "$(git -C "$top" rev-parse --show-toplevel 2>/dev/null)" = "$top" ] || return 0
  commit=$(git -C "$top" rev-parse --verify -q HEAD 2>/dev/null) || return 0
  [ -z "$(git -C "$top" status --porcelain 2>/dev/null)" ] || return 0
  printf '%s %s\n' "$commit" "$(cksum <config.status)"
}

minutes() { awk -v s="$1" 'BEGIN { printf "%.1f", s / 60 }'; }

of=$(subject)
passed=0 failed=0
for target; do
  result=check-long/$target.passed
  if [ -n "$of" ] && [ "$(head -n 1 "$result" 2>/dev/null)" = "$of" ]; then
    printf '%-28s passed before, after %s minutes\n' "$target" "$(tail -n 1 "$result")"
    passed=$((passed + 1))
    continue
  fi
  rm -f "$result"
  begin=$SECONDS status=0
  "${MAKE:-make}" --no-print-directory "$target" </dev/null >"check-long/$target.log" 2>&1 || status=$?
  spent=$(minutes $((SECONDS - begin)))
  if [ "$status" = 0 ]; then
    passed=$((passed + 1))
    printf '%-28s passed after %s minutes\n' "$target" "$spent"
    # Of the tree that it was begun on.
    if [ -n "$of" ] && [ "$(subject)" = "$of" ]; then printf '%s\n%s\n' "$of" "$spent" >"$result"; fi
  else
    failed=$((failed + 1))
    tail -n 20 "check-long/$target.log" | sed 's/^/    /'
    printf '%-28s FAILED after %s minutes: check-long/%s.log\n' "$target" "$spent" "$target"
  fi
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
