#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# MemorySanitizer, which clang alone has: what it says of programs on the instrumented library; some unit tests with clang-19.
# The rest: make check-long.
# limit: 3
# packages: clang clang-19 libclang-rt-14-dev libclang-rt-19-dev llvm-19
. build-aux/ci/common.sh
need_release

export COPSE_TOOL_CC="gcc clang clang-19" top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
tap_summary "programs with MSan" bash tests/check-msan.sh || status=1
tap_summary "unit tests with MSan, clang-19" bash tests/under-tool.sh msan clang-19 test_copse test_copse_resize test_cache \
  test_pool test_span test_trim test_stats || status=1
exit "$status"
