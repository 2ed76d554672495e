# SPDX-License-Identifier: MIT
# Real programs on copse, each compared with itself on the system's malloc.  `make check-programs` runs them all, whichever
# fail, and ends with their sum; a line "PASS: title" or "FAIL: title" each.

copse_programs = \
  tests/programs/gcc.sh \
  tests/programs/git.sh \
  tests/programs/node.sh \
  tests/programs/perl.sh \
  tests/programs/python3.sh \
  tests/programs/redis.sh \
  tests/programs/sqlite3.sh

EXTRA_DIST += tests/programs/common.bash $(copse_programs)

# Seconds that one of them may take.
copse_program_limit = 300

check-programs: all
	@passed=0; failed=0; \
	for program in $(copse_programs); do \
	  if COPSE_RUN='$(abs_top_builddir)/bin/copse-run' COPSE_LIBDIR='$(abs_top_builddir)' \
	    timeout -k 10 $(copse_program_limit) bash $(top_srcdir)/$$program </dev/null; then \
	    passed=`expr $$passed + 1`; \
	  else \
	    status=$$?; test $$status = 1 || echo "FAIL: $$program ended with status $$status"; \
	    failed=`expr $$failed + 1`; \
	  fi; \
	done; \
	echo "programs: $$passed passed, $$failed failed"; \
	test $$failed = 0
.PHONY: check-programs
