#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# valgrind: what memcheck says of a program on the instrumented library, and some unit tests under it.  The rest: make check-long.
# limit: 3
# packages: valgrind
. build-aux/ci/common.sh
need_release

export COPSE_TOOL_CC="gcc clang clang-19" top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
tap_summary "a program under valgrind" bash tests/check-valgrind.sh || status=1
tap_summary "unit tests under valgrind" bash tests/under-tool.sh valgrind gcc test_copse test_copse_resize test_cache test_pool \
  test_span test_trim || status=1
exit "$status"
