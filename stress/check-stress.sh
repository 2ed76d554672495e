#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each scenario runs a moment, and none of them is blind: a lost object, one handed out twice and one that is written to, planted, turn
# it red; so do a hang, and what a scenario alone looks for.
set -eu
# shellcheck source=../tests/tap.sh
. "$(dirname "$0")/../tests/tap.sh"
names="recycler producer freer ring churn trim growth fork address_space failures idle locked huge page"

# ran PROGRAM ARGUMENT...: 0 all was well, 77 it cannot be had here.
ran() { timeout -k 5 100 "$top_builddir/stress/$1" --seconds 0.1 "${@:2}" 2>&1; }
# well PROGRAM
well() {
  local said status=0
  said=$(ran "$1") || status=$?
  case $status in
    0) ok "$1" ;;
    77) skip "$1" "${said#*SKIP }" && return 1 ;;
    *) note "$said" && nok "$1" && return 1 ;;
  esac
}
# red PROGRAM PLANT ARGUMENT...: it failed, by what it looked at, and says how to have it again.
red() {
  local said status=0
  said=$(ran "$1" --plant "$2" "${@:3}") || status=$?
  if [ "$status" = 77 ]; then echo "left out: ${said#*SKIP }" && return 0; fi
  [ "$status" != 0 ] && [[ $said == *"not so: "* || $said == *"hangs: "* ]] && [[ $said == *"again: $1 --seed 1"* ]] && return 0
  note "$said"
  return 1
}

# It makes no objects: its faults are in mutants/list.
well bundles_instrumented || true
well bundles || true
for name in $names; do
  well "${name}_instrumented" || true
  well "$name" || continue
  blind=
  for plant in lose twice scribble; do red "$name" "$plant" || blind+=" $plant"; done
  if [ -z "$blind" ]; then ok "$name: planted faults are found"; else nok "$name: planted faults are found" "not$blind"; fi
done
check "a planted hang is found" red recycler hang --limit 1
check "control group: memory that is kept is found" red cgroup kept
check "a signal under a lock, that stays there, is found" red held_signal lock --seconds 30 --limit 5
check "a thread stopped under a lock is found" red held_ptrace lock --seconds 30 --limit 5
check "a lock over a system call is found" red step lock --limit 5
check "a system call under a pool's lock is found" red step call
finish
