#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real programs on copse: their output is what it is on the system's malloc.
# limit: 20
# packages: gcc libc6-dev libcmocka-dev git nodejs perl python3 libpython3.11-testsuite redis-server redis-tools sqlite3
. build-aux/ci/common.sh
need_release

has_target build/release check-programs || left_out "make check-programs does not exist"
make -s -C build/release check-programs 2>&1 | tee build/log/programs.log
status=${PIPESTATUS[0]}
# Its last line is the sum; a run that does not come to it is a failure.
read -r passed failed <<<"$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' build/log/programs.log | tail -n 1)"
if [ -z "${failed-}" ] || { [ "$failed" = 0 ] && [ "$status" != 0 ]; }; then
  passed=${passed:-0} failed=1
fi
passed_failed "programs" "$passed" "$failed"
[ "$failed" = 0 ]
