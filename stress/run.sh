#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: run.sh SECONDS [NAME...]      Each scenario, or those named, for so many seconds on each library that was built (stress/NAME and
# stress/NAME_instrumented).  Prints TAP, a scenario a line, and their sum.  STRESS_SEED: a number, or "random"; 1 where it is not
# given.  A scenario that cannot be had here, or a part of one, is said to be left out, with the reason.
# STRESS_LEDGER: a file to which each scenario adds a line of what it took, as fuzz/LEDGER describes them; STRESS_SANITIZER and
# STRESS_COMMIT are fields of it.
set -eu
seconds=${1:-2}
[ $# = 0 ] || shift
# shellcheck source=../tests/tap.sh
. "$(dirname "$0")/../tests/tap.sh"
case ${STRESS_SEED:=1} in random) STRESS_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ') ;; esac
export STRESS_SEED
# Fork takes more locks at once than ThreadSanitizer's deadlock detector can count, and children go on.  Copse's memory is its own.
export TSAN_OPTIONS=${TSAN_OPTIONS-detect_deadlocks=0:die_after_fork=0:halt_on_error=1}
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=0:abort_on_error=1} UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
[ $# -gt 0 ] || set -- bundles recycler producer freer ring churn trim growth fork address_space cgroup failures idle locked huge page \
  held_signal held_ptrace step
left_out=0 parts=0 begin=$SECONDS
clock=$(mktemp)
trap 'rm -f "$clock"' EXIT

# Sets cpu to the seconds of processor time that what was waited for has taken so far.
children_cpu() {
  times >"$clock"
  cpu=$(awk 'NR == 2 { gsub(/s/, ""); split($1, user, "m"); split($2, kernel, "m")
    printf "%d", user[1] * 60 + user[2] + kernel[1] * 60 + kernel[2] }' "$clock")
}

# in_ledger NAME STATUS SECONDS CLOSING
in_ledger() {
  local finding=none
  [ "$2" = 0 ] || finding="fuzz/regress/stress/TO-BE-EXPLAINED"
  printf '%s ; %s ; %s ; stress ; %s ; %s ; %s ; %s\n' "${STRESS_COMMIT:-none}" "$(date -u +%F)" "$1" "${STRESS_SANITIZER:-none}" "$3" \
    "$finding" "${4:-none}" >>"$STRESS_LEDGER"
}

# scenario PROGRAM
scenario() {
  local said status=0 limit=$((${seconds%.*} + 400)) before
  children_cpu
  before=$cpu
  # Not while a test has the system be strict with memory, which holds this lock then: requests are refused that are to be served.
  said=$(flock -s /proc/sys/vm/overcommit_memory timeout -k 5 "$limit" "$top_builddir/stress/$1" --seconds "$seconds" --limit "${STRESS_LIMIT:-120}" 2>&1) || status=$?
  children_cpu
  if [ -n "${STRESS_LEDGER-}" ] && [ "$status" != 77 ]; then
    in_ledger "$1" "$status" $((cpu - before)) "$(printf '%s\n' "$said" | sed -n 's/;/,/g; s/^# \(seed .*\)/\1/p' | tail -n 1)"
  fi
  note "$(printf '%s\n' "$said" | sed 's/^# //' | tail -n 60)"
  case $status in
    0)
      ok "$1"
      # Parts of it.
      while IFS= read -r part; do
        parts=$((parts + 1))
        skip "$1, of it: ${part%%: *}" "${part#*: }"
      done < <(printf '%s\n' "$said" | sed -n 's/^# SKIP //p')
      ;;
    77) left_out=$((left_out + 1)) && skip "$1" "$(printf '%s\n' "$said" | sed -n 's/^# SKIP //p' | tail -n 1)" ;;
    *) nok "$1" "status $status" ;;
  esac
}

for name; do
  found=false
  for program in "$name" "${name}_instrumented"; do
    if [ -x "$top_builddir/stress/$program" ]; then
      found=true
      scenario "$program"
    fi
  done
  $found || nok "$name" "was not built"
done
note "seed $STRESS_SEED: $((tap_count - tap_failed - left_out - parts)) passed, $tap_failed failed, $left_out left out and $parts parts of others; $((SECONDS - begin)) s"
finish
