#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each fuzz target for a fixed number of runs, by a fixed seed from the seed corpus: the same sources give the same result.  Two of them
# by clang 19 and two under AFL++ too, likewise.  That corpora and regressions pass without an engine is in `make check`; for longer, make fuzz-smoke.
# limit: 10
# packages: clang clang-19 libclang-rt-14-dev libclang-rt-19-dev afl++
. build-aux/ci/common.sh

status=0
tap_summary "fuzzing" bash fuzz/smoke.sh fixed || status=1
tap_summary "fuzzing: the ledger adds up" bash fuzz/check-ledger.sh || status=1
exit "$status"
