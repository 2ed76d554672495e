# SPDX-License-Identifier: MIT
# Fuzzing.  `make check` replays corpus and regressions, with whatever compiler and options there are; the engines, which want
# flags of their own, build by fuzz/build.mk.

fuzz_names = api threads threads_overlap thread_lifecycle bit_tree size_class recycler span vm_failures malloc options misuse
fuzz_common_sources = fuzz/api.c fuzz/api_figures.c fuzz/api_service.c fuzz/balance.c fuzz/crew.c fuzz/driver.c fuzz/model.c fuzz/op.c
fuzz_headers = fuzz/api.h fuzz/api_figures.h fuzz/api_service.h fuzz/balance.h fuzz/crew.h fuzz/expect.h fuzz/model.h fuzz/op.h fuzz/prefix.h \
  fuzz/setup.h fuzz/target.h
fuzz_programs = $(foreach n,$(fuzz_names),fuzz/fuzz_$(n) fuzz/fuzz_$(n)_instrumented)
fuzz_family = malloc malloc_info malloc_stats

EXTRA_DIST += $(fuzz_common_sources) $(fuzz_headers) $(fuzz_names:%=fuzz/fuzz_%.c) fuzz/mutator.c fuzz/mutator_afl.c fuzz/build.mk fuzz/quiet.list \
  fuzz/options.dict fuzz/corpus fuzz/regress fuzz/LEDGER fuzz/README fuzz/mutants/list \
  fuzz/check-replay.sh fuzz/check-ledger.sh fuzz/ledger.sh fuzz/engines.sh fuzz/smoke.sh fuzz/long.sh fuzz/coverage.sh \
  fuzz/minimise.sh fuzz/mutants/run.sh fuzz/mutants/table.sh fuzz/ossfuzz.sh fuzz/check-ossfuzz.sh

TESTS += fuzz/check-replay.sh
check_DATA += $(fuzz_programs)
MOSTLYCLEANFILES += $(fuzz_programs)

fuzz_compile = $(AM_V_CC)$(MKDIR_P) fuzz/.deps fuzz/prefixed && \
  $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(INCLUDES) $(AM_CPPFLAGS) -I$(top_srcdir)/fuzz -I$(top_srcdir)/tests $(CPPFLAGS) $(AM_CFLAGS) \
  $(CFLAGS) -MMD -MP -MF fuzz/.deps/$(subst /,-,$(@:.o=.d)) -c -o $@ $<
fuzz_link = $(AM_V_CCLD)$(LIBTOOL) $(AM_V_lt) --tag=CC $(AM_LIBTOOLFLAGS) $(LIBTOOLFLAGS) --mode=link \
  $(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -o $@

fuzz/prefixed/%_instrumented.o: lib/%.c
	$(fuzz_compile) -fno-builtin -include $(top_srcdir)/fuzz/prefix.h -DCOPSE_INSTRUMENTED
fuzz/prefixed/%.o: lib/%.c
	$(fuzz_compile) -fno-builtin -include $(top_srcdir)/fuzz/prefix.h
fuzz/%_instrumented.o: fuzz/%.c
	$(fuzz_compile) -DCOPSE_INSTRUMENTED
fuzz/%.o: fuzz/%.c
	$(fuzz_compile)
fuzz/vm_faults.o: tests/vm_faults.c
	$(fuzz_compile)
# Each by one rule alone: where some objects were not there yet, make took fuzz_NAME_instrumented for a program of the release library.
$(fuzz_names:%=fuzz/fuzz_%_instrumented): fuzz/fuzz_%_instrumented: fuzz/fuzz_%_instrumented.o \
  $(fuzz_common_sources:.c=_instrumented.o) fuzz/vm_faults.o \
  $(fuzz_family:%=fuzz/prefixed/%_instrumented.o) lib/libcopse_internal_instrumented.la
	$(fuzz_link) $^ $(LIBS)
$(fuzz_names:%=fuzz/fuzz_%): fuzz/fuzz_%: fuzz/fuzz_%.o $(fuzz_common_sources:.c=.o) fuzz/vm_faults.o \
  $(fuzz_family:%=fuzz/prefixed/%.o) \
  lib/libcopse_internal.la
	$(fuzz_link) $^ $(LIBS)
.PRECIOUS: fuzz/%.o fuzz/%_instrumented.o fuzz/prefixed/%.o fuzz/prefixed/%_instrumented.o
-include $(wildcard fuzz/.deps/*.d)

# Ten seconds a target, or so many as SECONDS says; a night; what the corpora reach, as HTML; faults that are planted.
SECONDS = 10
HOURS = 8
fuzz_environment = FUZZ_WORK='$(abs_top_builddir)/fuzz/work'
fuzz-smoke:
	$(fuzz_environment) bash $(top_srcdir)/fuzz/smoke.sh $(SECONDS)
fuzz-long:
	$(fuzz_environment) bash $(top_srcdir)/fuzz/long.sh $(HOURS)
fuzz-coverage:
	$(fuzz_environment) bash $(top_srcdir)/fuzz/coverage.sh 90
check-fuzz-mutants:
	$(fuzz_environment) bash $(top_srcdir)/fuzz/mutants/run.sh
check-ossfuzz:
	$(fuzz_environment) bash $(top_srcdir)/fuzz/check-ossfuzz.sh
.PHONY: fuzz-smoke fuzz-long fuzz-coverage check-fuzz-mutants check-ossfuzz
CHECK_LONG += fuzz-coverage check-ossfuzz
# How soon each is found is told of two cores.
CHECK_LONG_ALONE += check-fuzz-mutants

mostlyclean-local: fuzz-clean
fuzz-clean:
	-rm -rf fuzz/.deps fuzz/*.o fuzz/prefixed fuzz/work
.PHONY: fuzz-clean
