#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: long.sh HOURS [NAME...]      The scenarios, or those named, with copse compiled with the sanitizers, each for TURN_SECONDS (60)
# a turn, a turn with a seed of its own, until so many hours of wall clock are over.  Each adds a line to fuzz/LEDGER.  Prints TAP.
set -eu
# shellcheck source=../tests/tap.sh
. "$(dirname "$0")/../tests/tap.sh"
end=$(awk -v now="$(date +%s)" -v hours="${1:-2}" 'BEGIN { printf "%d", now + hours * 3600 }')
[ $# = 0 ] || shift
STRESS_COMMIT=$(git -C "$top_srcdir" rev-parse --short HEAD 2>/dev/null || echo none)
export STRESS_COMMIT STRESS_SEED STRESS_LEDGER=${STRESS_LEDGER:-$top_srcdir/fuzz/LEDGER}
turn=0
while [ "$(date +%s)" -lt "$end" ]; do
  turn=$((turn + 1))
  STRESS_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
  adopt "turn $turn" bash "$top_srcdir/stress/under-tools.sh" "${TURN_SECONDS:-60}" "$@"
done
bash "$top_srcdir/fuzz/ledger.sh" | sed 's/^/# /'
finish
