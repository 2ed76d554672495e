#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: check-long.sh [--jobs N] TARGET... [--alone TARGET...]      In a build tree: makes the targets, N of them at once (1), then those
# behind --alone one after the other; each one's output is in check-long/TARGET.log, and a line says how it ended and after how many
# minutes.  One that fails does not keep the next from running.
# A target that passed is not made again while what is committed and the build are the same and the tree has no change, so that a run that
# was cut short goes on where it was; `rm -r check-long` forgets.  fuzz/LEDGER, which grows with each hour of fuzzing and is no part of what
# is tested, may change.  Without git nothing is remembered.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd -P)
mkdir -p check-long
jobs=1
if [ "${1-}" = --jobs ]; then
  jobs=$2
  shift 2
fi

# What a result is of: nothing, where it cannot be said.
subject() {
  local files
  [ "$(git -C "$top" rev-parse --show-toplevel 2>/dev/null)" = "$top" ] || return 0
  files=$(git -C "$top" ls-tree -r HEAD 2>/dev/null) || return 0
  ! git -C "$top" status --porcelain 2>/dev/null | grep -q -v -x ' M fuzz/LEDGER' || return 0
  printf '%s %s\n' "$(printf '%s\n' "$files" | grep -v '	fuzz/LEDGER$' | git hash-object --stdin)" "$(cksum <config.status)"
}

# one TARGET
one() {
  local target=$1 result=check-long/$1.passed begin=$SECONDS status=0 spent
  rm -f "$result"
  "${MAKE:-make}" --no-print-directory "$target" </dev/null >"check-long/$target.log" 2>&1 || status=$?
  spent=$(awk -v s="$((SECONDS - begin))" 'BEGIN { printf "%.1f", s / 60 }')
  if [ "$status" != 0 ]; then
    tail -n 20 "check-long/$target.log" | sed 's/^/    /'
    printf '%-28s FAILED after %s minutes: check-long/%s.log\n' "$target" "$spent" "$target"
    return 1
  fi
  printf '%-28s passed after %s minutes\n' "$target" "$spent"
  # Of the tree that it was begun on.
  if [ -n "$of" ] && [ "$(subject)" = "$of" ]; then printf '%s\n%s\n' "$of" "$spent" >"$result"; fi
}

# ended: waits for one of those that run.
ended() {
  if wait -n; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  running=$((running - 1))
}

of=$(subject)
passed=0 failed=0 running=0
for target; do
  if [ "$target" = --alone ]; then
    jobs=1
    continue
  fi
  result=check-long/$target.passed
  if [ -n "$of" ] && [ "$(head -n 1 "$result" 2>/dev/null)" = "$of" ]; then
    printf '%-28s passed before, after %s minutes\n' "$target" "$(tail -n 1 "$result")"
    passed=$((passed + 1))
    continue
  fi
  while [ "$running" -ge "$jobs" ]; do ended; done
  one "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do ended; done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
