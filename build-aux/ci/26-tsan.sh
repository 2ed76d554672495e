#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ThreadSanitizer: what it says of programs on the instrumented library, with each compiler, and of copse compiled with it;
# threads' unit tests, with one.  The others, and the variant `user`: make check-long.  Programs on the installed library.
# limit: 5
# packages: clang clang-19 libclang-rt-14-dev libclang-rt-19-dev llvm-19 pkg-config
. build-aux/ci/common.sh
need_release

export COPSE_TOOL_CC="gcc clang clang-19" top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
tap_summary "programs with TSan" bash tests/check-tsan.sh || status=1
tap_summary "unit tests with TSan, gcc" bash tests/under-tool.sh tsan gcc test_recycler test_cache test_trim_threads \
  test_span_threads test_registry test_trim test_many test_pool_trim_busy || status=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make -s -C build/release install DESTDIR="$scratch" >build/log/installcheck-install.log 2>&1
tap_summary "programs on the installed library" make -s -C build/release installcheck DESTDIR="$scratch" || status=1
exit "$status"
