#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real programs on copse: their output is what it is on the system's malloc.
# limit: 10
# packages: git perl python3 libpython3.11-testsuite redis-server sqlite3
. build-aux/ci/common.sh
need_release

has_target build/release check-programs || left_out "make check-programs does not exist"
status=0
make -s -C build/release check-programs >build/log/programs.log 2>&1 || status=$?
cat build/log/programs.log
passed=$(grep -cE '^(PASS|ok)\b' build/log/programs.log || true)
failed=$(grep -cE '^(FAIL|ERROR|not ok)\b' build/log/programs.log || true)
if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
passed_failed "programs" "$passed" "$failed"
[ "$failed" = 0 ]
