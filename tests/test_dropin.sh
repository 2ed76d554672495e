#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The drop-ins' conformance: each test program with each drop-in preloaded, release and instrumented.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

libs=$top_builddir/lib/.libs
[ "${COPSE_SHARED-yes}" = yes ] || skip_all "the drop-ins are shared libraries, and none are built"
export CMOCKA_MESSAGE_OUTPUT=TAP

for mode in release instrumented; do
  malloc=$libs/libcopse-malloc.so
  [ "$mode" = release ] || malloc=$libs/libcopse-malloc-instrumented.so
  for program in test_malloc test_malloc_info test_malloc_misuse test_malloc_process; do
    adopt "$mode: $program" sh "$top_srcdir/tests/cmocka-tap.sh" env LD_PRELOAD="$malloc" "$top_builddir/tests/$program"
  done
  for program in test_malloc_own test_malloc_counted; do
    adopt "$mode: $program" env LD_PRELOAD="$malloc" "$top_builddir/tests/$program"
  done
  adopt "$mode: test_malloc_atfork" env LD_PRELOAD="$malloc $top_builddir/tests/.libs/malloc_plugin.so" COPSE_TEST_HANDLERS=1 \
    "$top_builddir/tests/test_malloc_atfork"
  [ "${COPSE_CXX-yes}" = yes ] || continue
  for program in test_new test_new_replaced test_new_sized; do
    adopt "$mode: $program" env LD_PRELOAD="$malloc $libs/libcopse-new.so" "$top_builddir/tests/$program"
  done
done
finish
