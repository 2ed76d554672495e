#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same tests, built by clang without a warning.
# limit: 25
# packages: clang
. build-aux/ci/common.sh

rm -rf build/clang
mkdir -p build/clang
(cd build/clang && ../../configure CC=clang CXX=clang++ --enable-werror) >build/log/clang-configure.log 2>&1 || {
  tail -n 20 build/log/clang-configure.log
  exit 1
}
one "clang builds without a warning" make -s -C build/clang -j"$jobs"
status=0
# What the tools say of clang's programs is asked in the stages of the tools.
export COPSE_TOOL_CC=none
make -s -C build/clang -j"$jobs" check || status=$?
suite_summary "check with clang" build/clang || status=1
exit "$status"
