#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# AddressSanitizer and LeakSanitizer: what they say of programs on the instrumented library, with each compiler; the unit
# tests with AddressSanitizer and UndefinedBehaviorSanitizer, with one.  The other compilers: make check-long.
# limit: 5
# packages: clang clang-19 libclang-rt-14-dev libclang-rt-19-dev llvm-19 pkg-config
. build-aux/ci/common.sh
need_release

export COPSE_TOOL_CC="gcc clang clang-19" top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
tap_summary "programs with ASan" bash tests/check-asan.sh || status=1
tap_summary "programs with LSan" bash tests/check-lsan.sh || status=1
tap_summary "unit tests with ASan and UBSan, clang-19" bash tests/under-tool.sh asan clang-19 || status=1
exit "$status"
