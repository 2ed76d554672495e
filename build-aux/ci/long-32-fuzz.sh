#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each fuzz target for ten seconds, two of them under AFL++ too.  That corpora and regressions pass without an engine is in `make check`.
# limit: 8
# packages: clang libclang-rt-14-dev afl++
. build-aux/ci/common.sh

tap_summary "fuzzing" bash fuzz/smoke.sh "${FUZZ_SECONDS:-10}"
tap_summary "fuzzing: the ledger adds up" bash fuzz/check-ledger.sh
