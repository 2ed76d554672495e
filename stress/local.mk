# SPDX-License-Identifier: MIT
# Stress: one scenario a file, each on both libraries.  `make stress` runs all of them for SECONDS each; `make check` a moment each,
# and plants faults (stress/check-stress.sh).  To add one: write stress/NAME.c, which defines stress_scenario, and name it here.

stress_names = recycler producer freer ring churn trim growth
stress_harness = stress/stress.c stress/object.c stress/conserve.c
stress_headers = stress/stress.h stress/state.h stress/shelf.h
stress_programs = $(foreach n,$(stress_names),stress/$(n) stress/$(n)_instrumented)

EXTRA_DIST += $(stress_names:%=stress/%.c) $(stress_harness) $(stress_headers)
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
stress/%_instrumented: stress/%_instrumented.o $(stress_harness:.c=_instrumented.o) stress/vm_faults.o \
  lib/libcopse_internal_instrumented.la
	$(stress_link) $^ $(LIBS)
stress/%: stress/%.o $(stress_harness:.c=.o) stress/vm_faults.o lib/libcopse_internal.la
	$(stress_link) $^ $(LIBS)
.PRECIOUS: stress/%.o stress/%_instrumented.o
-include $(wildcard stress/.deps/*.d)

stress-programs: $(stress_programs)
.PHONY: stress-programs

mostlyclean-local: stress-clean
stress-clean:
	-rm -rf stress/.deps stress/*.o
.PHONY: stress-clean
