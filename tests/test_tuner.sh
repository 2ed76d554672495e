#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/tuner: it takes the bundles of a load off the pools without being told what the load is, comes to rest, stays in its
# bounds, and does not follow a load that goes up and down; one without patience does.  Counts, no times.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "its counts are those of a release build"
tuner=$top_builddir/examples/tuner
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# figures NAME OPTION...: a run, whose figures are then asked for by figure.
figures() { "$tuner" "${@:2}" >"$scratch/$1" && cat "$scratch/$1"; }
figure() { sed -n "s/^$2=//p" "$scratch/$1"; }
# holds NAME FIGURE OPERATOR NUMBER
holds() {
  local n
  n=$(figure "$1" "$2")
  printf '%s is %s\n' "$2" "$n"
  [ -n "$n" ] && test "$n" "$3" "$4"
}

for objects in 2250 10500 28700; do
  check "bursts of $objects: it runs" figures steady --objects $objects
  check "bursts of $objects: of the bundles went by the pools at first more than 20 %" holds steady first_share -gt 20
  check "bursts of $objects: at last less than 5 %" holds steady last_share -lt 5
  check "bursts of $objects: it never turns" holds steady turns -eq 0
done
check "without it: it runs" figures fixed --fixed
check "without it, most go by the pools to the end" holds fixed last_share -gt 50
check "bursts beyond its bound: it runs" figures most --objects 200000 --steps 200
check "bursts beyond its bound: it stays there" holds most recycler -eq 1000
check "small bursts: it runs" figures least --objects 10 --steps 4000
check "small bursts: it goes down, to its bound and no further" holds least recycler -eq 4
check "small bursts: it never turns" holds least turns -eq 0
for every in 8 40 60 100; do
  check "up and down each $every steps: it runs" figures wave --objects 10500 --then 525 --every $every
  check "up and down each $every steps: it turns a few times at most" holds wave turns -le 4
done
# Planted: without patience it follows each turn.
check "a hasty one: it runs" figures hasty --objects 10500 --then 525 --every 40 --hasty
check "a hasty one is seen to turn again and again" holds hasty turns -gt 20
usage() { local status=0; "$tuner" "$@" >/dev/null 2>&1 || status=$?; [ $status = 64 ]; }
check "options that it does not know are refused" usage --fast
check "numbers that are none are refused" usage --steps many
finish
