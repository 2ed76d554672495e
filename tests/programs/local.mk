# SPDX-License-Identifier: MIT
# Real programs on copse, each compared with itself on the system's malloc: too long for `make check`.

EXTRA_DIST += tests/check-programs.sh tests/programs/broken.c tests/programs/common.bash \
  tests/programs/gcc.sh tests/programs/git.sh tests/programs/node.sh tests/programs/perl.sh tests/programs/python3.sh \
  tests/programs/redis.sh tests/programs/self-test.sh tests/programs/sqlite3.sh

check-programs: all
	@COPSE_RUN='$(abs_top_builddir)/bin/copse-run' COPSE_LIBDIR='$(abs_top_builddir)/lib/.libs' CC='$(CC)' \
	  $(top_srcdir)/tests/check-programs.sh
.PHONY: check-programs

# The same under the drop-in that checks: COPSE_PROGRAMS="perl sqlite3" runs some of them alone.  The self-test is of these tests.
check-programs-instrumented: all
	@COPSE_RUN='$(abs_top_builddir)/bin/copse-run' COPSE_LIBDIR='$(abs_top_builddir)/lib/.libs' CC='$(CC)' \
	  COPSE_RUN_FLAGS=--instrumented $(top_srcdir)/tests/check-programs.sh \
	  $(or $(COPSE_PROGRAMS),python3 sqlite3 node git gcc perl redis)
CHECK_LONG += check-programs-instrumented
.PHONY: check-programs-instrumented
