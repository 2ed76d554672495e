#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Debian's packages, twice the same and clean; rpms; the tarball from two trees and two users.  Not among the stages that CI
# runs, which are those that begin with a number: by hand, or in make check-long.
# limit: 30
# packages: autoconf automake bsdextrautils build-essential cpio debhelper fakeroot git libcmocka-dev libtool lintian mandoc pkg-config rpm valgrind xz-utils
. build-aux/ci/common.sh

status=0
# ours SUITE COMMAND...: counts its lines "ok" and "FAILED".
ours() {
  local suite=$1 out passed failed ended=0
  shift
  out=$("$@" 2>&1) || ended=$?
  printf '%s\n' "$out"
  passed=$(grep -c '^ok  ' <<<"$out" || true)
  failed=$(grep -c '^FAILED' <<<"$out" || true)
  if [ "$failed" = 0 ] && { [ "$ended" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
  passed_failed "$suite" "$passed" "$failed"
  [ "$failed" = 0 ]
}
ours "tarball" build-aux/check-tarball.sh || status=1
ours "Debian's packages" build-aux/check-deb.sh || status=1
ours "rpms" build-aux/check-rpm.sh || status=1
exit "$status"
