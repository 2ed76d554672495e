#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the checker says, and what it returns: an incomplete search is no proof, a failure is shown and replays; and there is no
# weak compare-and-swap in lib/, which might fail for no reason.  In the build directory, after tests/model/model.
set -eu
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
model() { ${MODEL_RUN-} tests/model/model --jobs 1 "$@"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check_fails "an exhaustive scenario that is cut short fails" model --limit 20 recycler/3-pop-one
says() { model --limit 20 recycler/3-pop-one | grep -qE '^not ok recycler/3-pop-one +incomplete .*# expected: exhaustive$'; }
check "and says so" says
check "uncut it does not" model recycler/3-pop-one

# One fault that the scenario itself can have: each is expected to fail, and what it is not expected to do is not hidden.
check_fails "a scenario that must fail and is cut short fails" model --limit 2 stack/no-generation
replayed() {
  model --replay "$1" stack/no-generation >"$scratch/replay" || return 1
  grep -q "fails at execution 1: $2" "$scratch/replay" && grep -qE '^ +# +a +b' "$scratch/replay" &&
    grep -qE 'reference.h:[0-9]+$' "$scratch/replay" && grep -q ' from #' "$scratch/replay" &&
    grep -qF -- "--replay '$1' stack/no-generation" "$scratch/replay"
}
schedule=$(model --show stack/no-generation | sed -n "s/.*--replay '\(.*\)' .*/\1/p")
check "a failure is a table with source lines, and replays" replayed "$schedule" ''
check_fails "another schedule does not fail" model --replay a stack/no-generation

# Each names whether it may fail for no reason: its fourth argument.
no_weak() {
  local all strong
  all=$(cat "$1"/*.[ch] | grep -c '__atomic_compare_exchange')
  strong=$(cat "$1"/*.[ch] | grep -cE '__atomic_compare_exchange_n\([^;]*, false,')
  printf '%s compare-and-swaps, %s of them strong\n' "$all" "$strong"
  [ "$all" -ge 4 ] && [ "$all" = "$strong" ]
}
check "no weak compare-and-swap in lib/" no_weak "$top_srcdir/lib"
mkdir "$scratch/lib"
cp "$top_srcdir"/lib/*.[ch] "$scratch/lib"
sed '/define cas_release/,/__ATOMIC_RELEASE/ s/, false,/, true,/' "$top_srcdir/lib/atomic.h" >"$scratch/lib/atomic.h"
check_fails "a planted one is found" no_weak "$scratch/lib"
finish
