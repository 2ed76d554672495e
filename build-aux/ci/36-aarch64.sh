#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# aarch64: the instructions that each compiler makes of the recycler, and a test of each module, cross-compiled and emulated.
# All unit tests, and processors without LSE: make check-aarch64.
# limit: 10
# packages: binutils-aarch64-linux-gnu clang-14 clang-19 gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross libcmocka-dev qemu-user
. build-aux/ci/common.sh
need_release

export top_srcdir=$PWD top_builddir=$PWD/build/release jobs
tap_summary "aarch64" bash tests/check-aarch64.sh smoke
