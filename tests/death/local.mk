# SPDX-License-Identifier: MIT
# One misuse a file; tests/death/death.h says how they are written, doc/MISUSE what is found of them.
# `make check` runs them plainly and under AddressSanitizer, by the compiler of the build;
# build-aux/ci/29-death.sh runs all columns, `make check-long` all columns by each compiler.

copse_death_programs = \
  tests/death/alignment.c tests/death/alignment_none.c tests/death/batch_foreign.c \
  tests/death/batch_twice.c tests/death/double_free.c tests/death/double_free_between.c \
  tests/death/double_free_bundle.c tests/death/double_free_home.c tests/death/double_free_recycler.c \
  tests/death/double_free_span.c tests/death/double_free_spare.c tests/death/double_free_threads.c \
  tests/death/foreign_first.c tests/death/foreign_global.c tests/death/foreign_malloc.c \
  tests/death/foreign_map.c tests/death/foreign_stack.c tests/death/free_null.c tests/death/interior.c \
  tests/death/interior_span.c tests/death/leak.c tests/death/leak_of_malloc.c tests/death/leak_span.c \
  tests/death/lock_rank.c tests/death/metadata.c tests/death/never_handed_out.c tests/death/other_class.c \
  tests/death/overflow_aligned.c tests/death/overflow_batch.c tests/death/overflow_full.c \
  tests/death/overflow_nothing.c tests/death/overflow_odd.c tests/death/overflow_read.c \
  tests/death/overflow_span.c tests/death/overflow_word.c tests/death/overflow_write.c \
  tests/death/race_block.c tests/death/race_free.c tests/death/race_handed.c tests/death/race_hidden.c \
  tests/death/read_after_free.c tests/death/read_freed_decides.c tests/death/realloc_freed.c \
  tests/death/realloc_null.c tests/death/realloc_size.c tests/death/size_class.c \
  tests/death/size_larger.c tests/death/size_smaller.c tests/death/size_span.c tests/death/underflow.c \
  tests/death/uninitialised.c tests/death/uninitialised_again.c tests/death/usable_size_freed.c \
  tests/death/write_after_decommit.c tests/death/write_after_free.c tests/death/write_after_free_span.c \
  tests/death/write_after_free_thread.c tests/death/write_after_quarantine.c \
  tests/death/write_after_realloc.c tests/death/write_never_handed_out.c
EXTRA_DIST += $(copse_death_programs) tests/death/death.h tests/death/table.sh tests/death/verify.awk \
  tests/check-faults.sh tests/check-debugging.sh \
  tests/faults/no_canary.h tests/faults/no_pattern.h tests/faults/no_pool_check.h tests/faults/no_quarantine.h \
  tests/faults/no_rank.h tests/faults/no_redzone.h tests/faults/no_stack.h tests/faults/no_state.h \
  tests/faults/wrong_shadow.h

copse_script_tests += tests/death/run.sh

# Writes the table from a run of all columns: to be committed.
doc-misuse: all
	DEATH_COLUMNS='plain asan tsan msan valgrind' DEATH_RESULTS='$(abs_top_builddir)/tests/death-results' CC='$(CC)' \
	  top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' $(top_srcdir)/tests/death/run.sh && \
	$(top_srcdir)/tests/death/table.sh tests/death-results >tests/death-table && \
	mv tests/death-table $(top_srcdir)/doc/MISUSE
.PHONY: doc-misuse
MOSTLYCLEANFILES += tests/death-results tests/death-table

CHECK_LONG += check-death-all
check-death-all: all
	DEATH_COMPILERS=all DEATH_COLUMNS='plain asan tsan msan valgrind' CC='$(CC)' \
	  top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' $(top_srcdir)/tests/death/run.sh
.PHONY: check-death-all
