#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library, built by clang without a warning, and its tests of every module in both modes.  The scripts that look at
# what was built, or at the tools, ask the same of any compiler, and have been run with gcc; the tools' stage asks clang's.
# limit: 25
# packages: clang
. build-aux/ci/common.sh

[ -x configure ] || ./bootstrap >build/log/bootstrap.log 2>&1
rm -rf build/clang
mkdir -p build/clang
(cd build/clang && ../../configure CC=clang CXX=clang++ --enable-werror) >build/log/clang-configure.log 2>&1 || {
  tail -n 20 build/log/clang-configure.log
  exit 1
}
one "clang builds without a warning" make -s -C build/clang -j"$jobs"
# shellcheck disable=SC2016 # make expands it
units=$(printf 'include Makefile\nprint-units:\n\t@echo $(copse_unit_programs)\n' | make -s -C build/clang -f - print-units)
status=0
make -s -C build/clang -j"$jobs" check TESTS="$units" || status=$?
suite_summary "check with clang" build/clang || status=1
exit "$status"
