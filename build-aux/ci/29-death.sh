#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The instrumented library: each misuse is found by each tool as its test says, doc/MISUSE is what was seen, a fault planted
# in the library turns a test red, doc/DEBUGGING's commands do as it says, and real programs run on the drop-in that checks.
# limit: 20
# packages: clang git perl pkg-config python3 sqlite3 valgrind
. build-aux/ci/common.sh
need_release

status=0
export top_srcdir=$PWD top_builddir=$PWD/build/release
# The compilers that are not asked here are in check-long (check-death-all), and in the checks of each tool.
export DEATH_COLUMNS="plain asan tsan msan valgrind" DEATH_RESULTS=$PWD/build/log/death-results
tap_summary "death tests" bash tests/death/run.sh || status=1
same_table() { bash tests/death/table.sh "$DEATH_RESULTS" >build/log/MISUSE && diff -u doc/MISUSE build/log/MISUSE; }
one "doc/MISUSE is what was seen" same_table || status=1
unset DEATH_COLUMNS DEATH_RESULTS
tap_summary "planted faults" bash tests/check-faults.sh || status=1
tap_summary "doc/DEBUGGING" bash tests/check-debugging.sh || status=1

programs() { make -s -C build/release check-programs-instrumented COPSE_PROGRAMS="sqlite3 git perl"; }
one "programs on the instrumented drop-in: sqlite3, git, perl" programs || status=1
exit "$status"
