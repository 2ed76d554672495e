#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each stress scenario for two seconds on both libraries, and for one with copse compiled with the sanitizers; among them the thread that
# is stopped at each instruction of the slow path.  STRESS_SECONDS: others.
# limit: 15
# packages: libcmocka-dev
. build-aux/ci/common.sh
need_release

make -s -C build/release -j"$jobs" stress-programs >build/log/stress-make.log 2>&1 || {
  tail -n 20 build/log/stress-make.log
  exit 1
}
export top_srcdir=$PWD top_builddir=$PWD/build/release jobs
status=0
tap_summary "stress" bash stress/run.sh "${STRESS_SECONDS:-2}" || status=1
tap_summary "stress with sanitizers" bash stress/under-tools.sh "${STRESS_SECONDS:-1}" || status=1
exit "$status"
