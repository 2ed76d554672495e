# SPDX-License-Identifier: MIT
# Real programs on copse, each compared with itself on the system's malloc: too long for `make check`.

EXTRA_DIST += tests/check-programs.sh tests/programs/broken.c tests/programs/common.bash \
  tests/programs/gcc.sh tests/programs/git.sh tests/programs/node.sh tests/programs/perl.sh tests/programs/python3.sh \
  tests/programs/redis.sh tests/programs/self-test.sh tests/programs/sqlite3.sh

check-programs: all
	@COPSE_RUN='$(abs_top_builddir)/bin/copse-run' COPSE_LIBDIR='$(abs_top_builddir)/lib/.libs' CC='$(CC)' \
	  $(top_srcdir)/tests/check-programs.sh
.PHONY: check-programs
