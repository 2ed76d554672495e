#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit tests on the instrumented library, all compiled for a tool: each tool once.  The other compilers, the second variant
# of ThreadSanitizer, and valgrind are in check-long (check-under-tools).
# limit: 20
# packages: clang libclang-rt-14-dev libcmocka-dev
. build-aux/ci/common.sh
need_release

export top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
for pair in "asan clang" "tsan clang" "msan clang"; do
  # shellcheck disable=SC2086 # two words
  tap_summary "unit tests under $pair" bash tests/under-tool.sh $pair || status=1
done
exit "$status"
