#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The comparison finishes and prints its table, and does what its own test asks.  Nothing is asked of the times: the machine may
# be busy.
# limit: 7
# packages: gnuplot-nox python3
. build-aux/ci/common.sh

[ -x bench/compare ] || left_out "bench/compare does not exist"
./quickstart bench
finishes() { bench/compare --quick >build/log/bench-quick.md && cat build/log/bench-quick.md; }
prints_a_table() { grep -q '^|.*copse' build/log/bench-quick.md; }
one "bench/compare --quick finishes" finishes
one "it prints its table" prints_a_table
tap_summary "the comparison itself" bash bench/test_compare.sh
