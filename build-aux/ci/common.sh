# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the stages: each sources this first, in the top directory.
set -eu

# shellcheck disable=SC2034 # the stages use it
jobs=$(nproc 2>/dev/null || echo 2)

# passed_failed SUITE PASSED FAILED: reports a suite to the driver.
passed_failed() {
  printf 'suite %s: %s passed, %s failed\n' "$1" "$2" "$3"
  [ -z "${COPSE_CI_COUNTS-}" ] || printf '%s %s %s\n' "$2" "$3" "$1" >>"$COPSE_CI_COUNTS"
}

# one SUITE COMMAND...: reports a single thing that must succeed, and fails if it does not.
one() {
  local suite=$1
  shift
  if "$@"; then
    passed_failed "$suite" 1 0
  else
    passed_failed "$suite" 0 1
    return 1
  fi
}

# suite_summary SUITE BUILD-DIRECTORY: reports what automake counted there in its last run.
# A run that left no summary, or ran nothing, is a failure.
suite_summary() {
  local file=$2/test-suite.log passed failed
  if [ ! -e "$file" ]; then
    passed_failed "$1 (no summary)" 0 1
    return 1
  fi
  # The summary is at the top; what tests printed follows, and may look like it.
  passed=$(head -n 20 "$file" | awk '/^# (PASS|XFAIL):/ { n += $3 } END { print n + 0 }')
  failed=$(head -n 20 "$file" | awk '/^# (FAIL|XPASS|ERROR):/ { n += $3 } END { print n + 0 }')
  if [ $((passed + failed)) = 0 ]; then
    passed_failed "$1 (ran nothing)" 0 1
    return 1
  fi
  passed_failed "$1" "$passed" "$failed"
  [ "$failed" = 0 ]
}

# tap_summary SUITE COMMAND...: runs a script that prints TAP and reports its results.
tap_summary() {
  local suite=$1 out passed failed status=0
  shift
  out=$("$@" 2>&1) || status=$?
  printf '%s\n' "$out"
  passed=$(printf '%s\n' "$out" | grep -c '^ok ' || true)
  failed=$(printf '%s\n' "$out" | grep -c '^not ok ' || true)
  # It broke off, or had nothing to say.
  if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
  passed_failed "$suite" "$passed" "$failed"
  [ "$failed" = 0 ]
}

# has_target BUILD-DIRECTORY TARGET: does make know it?
has_target() { make -C "$1" -n "$2" >/dev/null 2>&1; }

# left_out WHY: what this stage is to run does not exist yet.
left_out() {
  printf 'LEFT OUT, LOUDLY: %s\n' "$*"
  exit 77
}

# The release build, for stages that only use it and may be run alone.
need_release() {
  [ -x configure ] || ./bootstrap >build/log/bootstrap.log 2>&1
  mkdir -p build/release
  [ -e build/release/Makefile ] || (cd build/release && ../../configure >../log/configure.log 2>&1)
  make -s -C build/release -j"$jobs" >build/log/make.log 2>&1
}
