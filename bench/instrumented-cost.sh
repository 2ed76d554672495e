#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints what each mode costs, as doc/DEBUGGING has it: nanoseconds a pair of 64 and of 4000 bytes (the best of five), and
# bytes resident a live object of 64 bytes.  For a quiet machine.
#
#   instrumented-cost.sh [BUILD-DIRECTORY]      build/release by default
set -eu
cd "$(dirname "$0")/.."
libs=${1:-build/release}/lib/.libs
: "${CC:=gcc}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# row TITLE LIBRARY ROUNDS COMPILER-WITH-FLAGS [RUNNER...]
row() {
  local title=$1 library=$2 rounds=$3 compiler=$4
  shift 4
  # shellcheck disable=SC2086 # a compiler and its flags
  if ! $compiler -std=gnu11 -O2 -g -fno-omit-frame-pointer -D_GNU_SOURCE -Ilib bench/instrumented_cost.c "$libs/$library.a" -pthread \
    -o "$scratch/cost" 2>"$scratch/why" || ! "$@" "$scratch/cost" "$rounds" >"$scratch/out" 2>"$scratch/why"; then
    printf '    %-34s not to be had here: %s\n' "$title" "$(head -n 1 "$scratch/why")"
  else
    printf '    %-34s%s\n' "$title" "$(cat "$scratch/out")"
  fi
}

printf '    %-34s%8s %8s %8s\n' '' 'pair 64' 'pair 4K' 'bytes/64'
row "release" libcopse 4000000 "$CC"
row "instrumented" libcopse-instrumented 400000 "$CC"
row "instrumented, AddressSanitizer" libcopse-instrumented 200000 "$CC -fsanitize=address"
row "instrumented, ThreadSanitizer" libcopse-instrumented 200000 "$CC -fsanitize=thread"
row "instrumented, MemorySanitizer" libcopse-instrumented 100000 "clang -fsanitize=memory -fsanitize-memory-track-origins=2"
row "release, valgrind" libcopse 20000 "$CC" valgrind -q
row "instrumented, valgrind" libcopse-instrumented 20000 "$CC" valgrind -q
