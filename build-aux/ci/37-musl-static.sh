#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A test of each module, built by musl-gcc, and linked statically.  All unit tests: make check-musl check-static.
# limit: 10
# packages: musl-tools libcmocka-dev xz-utils
. build-aux/ci/common.sh
need_release

export top_srcdir=$PWD top_builddir=$PWD/build/release jobs
status=0
for kind in musl static; do
  tap_summary "$kind" bash tests/check-libc.sh "$kind" smoke || status=1
done
exit "$status"
