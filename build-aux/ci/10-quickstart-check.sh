#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a newcomer runs, with gcc; warnings are errors here.
# limit: 28
# packages:
. build-aux/ci/common.sh

rm -f build/release/test-suite.log
status=0
./quickstart check -- --enable-werror || status=$?
suite_summary "quickstart check" build/release || status=1
exit "$status"
