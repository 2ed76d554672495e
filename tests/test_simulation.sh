#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The simulation comes to the same end on copse and on the system's malloc, whatever the seed and the number of workers;
# a death that is overlooked is noticed; bad options and a lack of memory are one clear line.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

on_copse=$top_builddir/examples/simulation
on_system=$top_builddir/examples/simulation-system
run=$top_srcdir/examples/run-simulation.sh
small=(--frames 120 --entities 3000)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

checksum() {
  "$@" >"$scratch/run" || return
  sed -n 's/^checksum=//p' "$scratch/run" | grep .
}

# same SEED THREADS: both come to one checksum, which is left in $scratch/SEED.THREADS.
same() {
  local seed=$1 threads=$2 system copse
  system=$(checksum "$on_system" "${small[@]}" --seed "$seed" --threads "$threads") || return
  copse=$(checksum "$on_copse" "${small[@]}" --seed "$seed" --threads "$threads") || return
  printf 'system %s, copse %s\n' "$system" "$copse"
  printf '%s\n' "$copse" >"$scratch/$seed.$threads"
  [ "$system" = "$copse" ]
}

all_equal() { cmp "$scratch/$1.1" "$scratch/$1.2" && cmp "$scratch/$1.1" "$scratch/$1.4"; }

for seed in 1 2 3; do
  for threads in 1 2 4; do
    check "seed $seed, $threads workers: the same checksum" same "$seed" "$threads"
  done
  check "seed $seed: the number of workers makes no difference" all_equal "$seed"
done
# Both are there, and they differ.
differ() { [ -n "$1" ] && [ -n "$2" ] && [ "$1" != "$2" ]; }
fault=$(checksum "$on_copse" "${small[@]}" --seed 1 --threads 2 --plant-fault) || fault=
check "another seed is another world" differ "$(cat "$scratch/1.1")" "$(cat "$scratch/2.1")"
check "one death overlooked on copse changes the checksum" differ "$(cat "$scratch/1.2")" "$fault"

# refuses STATUS WORDS COMMAND...: that exit status, nothing on stdout, one line on stderr with the words.
refuses() {
  local want=$1 words=$2 status=0
  shift 2
  "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  cat "$scratch/err"
  [ "$status" = "$want" ] && [ ! -s "$scratch/out" ] && [ "$(wc -l <"$scratch/err")" = 1 ] &&
    grep -q -e "$words" "$scratch/err"
}

limited() { (ulimit -v 400000 && "$@"); }

for program in "$on_copse" "$on_system"; do
  name=$(basename "$program")
  check "$name: unknown option" refuses 2 "unknown option '--fast'" "$program" --fast
  check "$name: a word that is no option" refuses 2 "unknown option '7'" "$program" 7
  check "$name: no number" refuses 2 "no number after '--seed'" "$program" --seed
  check "$name: not a number" refuses 2 "bad number '12x'" "$program" --frames 12x
  check "$name: a negative number" refuses 2 "bad number '-1'" "$program" --seed -1
  check "$name: too many workers" refuses 2 "bad number '17'" "$program" --threads 17
  check "$name: no workers" refuses 2 "bad number '0'" "$program" --threads 0
  check "$name: a parameter that is none" refuses 2 "no parameter, or not its range 'speed=9'" "$program" --tune speed=9
  check "$name: a parameter without a value" refuses 2 "no parameter 'recycler'" "$program" --tune recycler
  check "$name: a number beyond 64 bits" refuses 2 "bad number" "$program" --seed 18446744073709551616
  check "$name: help" "$program" --help
  check "$name: the table" "$program" "${small[@]}" --table
  if [ -n "${COPSE_SANITIZERS-}" ]; then
    skip "$name: out of memory" "a sanitizer wants the address space"
  else
    check "$name: out of memory" refuses 1 "out of memory" limited "$program" --frames 2 --entities 5000000
  fi
done

finds_fault() {
  local status=0
  "$run" "$top_builddir" --rounds 1 "${small[@]}" --plant-fault >"$scratch/out" 2>"$scratch/err" || status=$?
  cat "$scratch/err"
  [ "$status" = 1 ] && grep -q "checksums differ" "$scratch/err" && ! grep -q throughput "$scratch/out"
}

check "run-simulation.sh: equal ends" "$run" "$top_builddir" --rounds 1 "${small[@]}"
check "run-simulation.sh: a planted fault is found" finds_fault
check "run-simulation.sh: unknown option" refuses 2 "unknown option" "$run" "$top_builddir" --fast
check "run-simulation.sh: no build there" refuses 1 "is missing" "$run" "$scratch"
# What copse counted: with room for the bundles of a burst hardly any lock is taken.
counted() {
  "$on_copse" --frames 400 --entities 5000 --tune recycler=128 >"$scratch/counted" || return
  grep '^steady_' "$scratch/counted"
  [ "$(sed -n 's/^steady_pool_locks=//p' "$scratch/counted")" -lt 40 ] && [ "$(sed -n 's/^steady_system_calls=//p' "$scratch/counted")" -lt 40 ]
}
check "two hundred steady frames take fewer than 40 locks of pools, and 40 system calls" counted
finish
