#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual pages, the documents, the ABI and the versions, with all the tools that their checks want.
# limit: 10
# packages: abigail-tools bsdextrautils clang g++ libcmocka-dev mandoc python3-yaml
. build-aux/ci/common.sh
need_release

export top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
for check in abi commands documents man ordering version workflows; do
  tap_summary "check-$check" bash "tests/check-$check.sh" || status=1
done
exit "$status"
