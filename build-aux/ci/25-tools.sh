#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the sanitizers and valgrind say of programs on the instrumented library, and the sanitizers of copse compiled with
# ThreadSanitizer; each with planted faults; and the simulation under each.  With gcc's sanitizers `make check` has asked that before;
# the unit tests themselves under each tool are in `make check-long` (tests/under-tool.sh).
# limit: 15
# packages: clang clang-19 libclang-rt-14-dev libclang-rt-19-dev llvm-19 pkg-config valgrind
. build-aux/ci/common.sh
need_release

export COPSE_TOOL_CC="clang clang-19" top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
for tool in asan lsan msan tsan simulation valgrind; do
  tap_summary "programs with $tool" bash "tests/check-$tool.sh" || status=1
done
exit "$status"
