# SPDX-License-Identifier: MIT
# Stress: one scenario a file, each on both libraries.  `make stress` runs all of them for SECONDS each; `make check` a moment each,
# and plants faults (stress/check-stress.sh).  To add one: write stress/NAME.c, which defines stress_scenario, and name it here.

stress_names = bundles recycler producer freer ring churn trim growth fork address_space cgroup failures idle locked huge page
# A thread that is stopped: on the release library, whose locks these know.
stress_held_names = held_signal held_ptrace step
stress_harness = stress/stress.c stress/object.c stress/conserve.c stress/preempt.c
stress_held = stress/victim.c stress/tracer.c
stress_headers = stress/stress.h stress/state.h stress/shelf.h stress/victim.h stress/tracer.h
stress_programs = $(foreach n,$(stress_names),stress/$(n) stress/$(n)_instrumented) $(stress_held_names:%=stress/%)

EXTRA_DIST += $(stress_names:%=stress/%.c) $(stress_held_names:%=stress/%.c) $(stress_harness) $(stress_held) $(stress_headers)
EXTRA_DIST += stress/run.sh stress/long.sh stress/check-stress.sh stress/under-tools.sh stress/mutants/list stress/mutants/run.sh
TESTS += stress/check-stress.sh
check_DATA += $(stress_programs)
MOSTLYCLEANFILES += $(stress_programs)

stress_compile = $(AM_V_CC)$(MKDIR_P) stress/.deps && \
  $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(INCLUDES) $(AM_CPPFLAGS) -I$(top_srcdir)/stress -I$(top_srcdir)/tests $(CPPFLAGS) $(AM_CFLAGS) \
  $(CFLAGS) -MMD -MP -MF stress/.deps/$(@F:.o=.d) -c -o $@ $<
stress_link = $(AM_V_CCLD)$(LIBTOOL) $(AM_V_lt) --tag=CC $(AM_LIBTOOLFLAGS) $(LIBTOOLFLAGS) --mode=link \
  $(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) $(STRESS_LDFLAGS) -o $@

stress/%_instrumented.o: stress/%.c
	$(stress_compile) -DCOPSE_INSTRUMENTED
stress/%.o: stress/%.c
	$(stress_compile)
stress/vm_faults.o: tests/vm_faults.c
	$(stress_compile)
# Each by one rule alone: as in fuzz/local.mk.
$(stress_names:%=stress/%_instrumented): stress/%_instrumented: stress/%_instrumented.o $(stress_harness:.c=_instrumented.o) stress/vm_faults.o \
  lib/libcopse_internal_instrumented.la
	$(stress_link) $^ $(LIBS)
$(stress_names:%=stress/%) $(stress_held_names:%=stress/%): stress/%: stress/%.o $(stress_harness:.c=.o) stress/vm_faults.o lib/libcopse_internal.la
	$(stress_link) $^ $(LIBS)
$(stress_held_names:%=stress/%): $(stress_held:.c=.o)
# A program may be told another page size.
stress/page stress/page_instrumented: STRESS_LDFLAGS = -Wl,--wrap=sysconf
.PRECIOUS: stress/%.o stress/%_instrumented.o
-include $(wildcard stress/.deps/*.d)

stress-programs: $(stress_programs)
.PHONY: stress-programs

# So many seconds a scenario; STRESS_SEED=random, or a number.
stress: $(stress_programs)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(top_srcdir)/stress/run.sh $(SECONDS)
# The same with copse compiled with the sanitizers.
stress-tools: $(stress_programs)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(top_srcdir)/stress/under-tools.sh $(SECONDS)
# That for hours, and into fuzz/LEDGER.
stress-long: $(stress_programs)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(top_srcdir)/stress/long.sh $(HOURS)
# The thread that is stopped at each instruction: at each address up to seventeen times.
check-step: stress/step
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' STRESS_LIMIT=1200 bash $(top_srcdir)/stress/run.sh 60 step
# Faults planted in the library are found.
check-stress-mutants: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' CC='$(CC)' bash $(top_srcdir)/stress/mutants/run.sh
.PHONY: stress stress-tools stress-long check-step check-stress-mutants
CHECK_LONG += stress stress-tools check-step check-stress-mutants

mostlyclean-local: stress-clean
stress-clean:
	-rm -rf stress/.deps stress/*.o stress/sanitized
.PHONY: stress-clean
