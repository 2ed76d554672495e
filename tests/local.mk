# SPDX-License-Identifier: MIT
# Tests.  To add one for lib/foo.c: write tests/test_foo.c (cmocka, one group) and add its line below.  It is built and run
# twice: tests/test_foo against the release library, tests/test_foo_instrumented against the instrumented one with
# -DCOPSE_INSTRUMENTED.  Both link the internal library, whose hidden functions can be reached.
# A test that wants more says so by variables of its target:
#   tests/test_foo tests/test_foo_instrumented: LDLIBS += -lfoo
#   tests/test_foo.o tests/test_foo_instrumented.o: TEST_CFLAGS += -DFOO

copse_unit_tests = \
  tests/test_size_class \
  tests/test_bit_tree \
  tests/test_chain \
  tests/test_bundle \
  tests/test_recycler \
  tests/test_lock \
  tests/test_check \
  tests/test_annotate \
  tests/test_tune \
  tests/test_stats \
  tests/test_promise \
  tests/test_pool \
  tests/test_pool_model \
  tests/test_pool_grow \
  tests/test_pool_grow_ranges \
  tests/test_pool_trim \
  tests/test_pool_resident \
  tests/test_pool_trim_busy \
  tests/test_pool_trim_parts \
  tests/test_region \
  tests/test_side \
  tests/test_stack \
  tests/test_quarantine \
  tests/test_report \
  tests/test_report_leaks \
  tests/test_guard \
  tests/test_guard_promises \
  tests/test_vm \
  tests/test_vm_huge \
  tests/test_span \
  tests/test_span_run \
  tests/test_span_look \
  tests/test_span_faults \
  tests/test_span_limits \
  tests/test_span_threads

# Threads, and what goes across all pools.
copse_unit_tests += \
  tests/test_cache \
  tests/test_cache_others \
  tests/test_cache_refused \
  tests/test_registry \
  tests/test_arenas \
  tests/test_trim \
  tests/test_fork \
  tests/test_fork_busy \
  tests/test_fork_during

# The whole library, by its public interface.
copse_unit_tests += \
  tests/test_copse \
  tests/test_batch \
  tests/test_copse_resize \
  tests/test_copse_refused \
  tests/test_copse_service \
  tests/test_walk \
  tests/test_walk_text \
  tests/test_no_touch \
  tests/test_conservation \
  tests/test_many \
  tests/test_trim_threads \
  tests/test_peak \
  tests/test_system_calls \
  tests/test_recycler_lock \
  tests/test_parameters \
  tests/test_limits \
  tests/test_borrow \
  tests/test_huge_pages \
  tests/test_fork_load \
  tests/test_fiber \
  tests/test_dlopen \
  tests/test_inline \
  tests/test_cancel \
  tests/test_traps \
  tests/test_traps_threads \
  tests/test_traps_malloc \
  tests/test_traps_misuse \
  tests/test_limit_reuse

# Stacks are walked by frame pointers.  And copse's functions are called: link-time optimisation may put one into its caller, whose own
# caller is then what a report begins with.
tests/test_stack_instrumented.o tests/test_report_instrumented.o tests/test_report_leaks_instrumented.o: \
  TEST_CFLAGS += -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-lto

# Whatever the rest is built with: a compiler that may keep things across calls is what this is about.
tests/test_fiber.o tests/test_fiber_instrumented.o: TEST_CFLAGS += -O3

# A hundred rounds of what `make check` does ten of.
CHECK_LONG += check-conservation
check-conservation: tests/test_conservation tests/test_conservation_instrumented
	COPSE_TEST_LONG=1 tests/test_conservation
	COPSE_TEST_LONG=1 tests/test_conservation_instrumented
.PHONY: check-conservation

# The walk's tests on a library with one fault.
CHECK_LONG += check-walk-faults
check-walk-faults: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check-walk-faults.sh
.PHONY: check-walk-faults

# What copse-map draws, as a browser shows it.
CHECK_LONG += check-map-browser
check-map-browser: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check-map-browser.sh
.PHONY: check-map-browser

# Scripts print TAP, by tests/tap.sh; they find their way by the variables of AM_TESTS_ENVIRONMENT below.
copse_script_tests = \
  tests/check-layers.sh \
  tests/check-exports.sh \
  tests/check-hotpath.sh \
  tests/check-configure.sh \
  tests/check-cxx.sh \
  tests/check-release.sh \
  tests/check-man.sh \
  tests/check-abi.sh \
  tests/check-documents.sh \
  tests/check-ordering.sh \
  tests/check-version.sh \
  tests/check-workflows.sh \
  tests/check-asan.sh \
  tests/check-tsan.sh \
  tests/check-msan.sh \
  tests/check-lsan.sh \
  tests/check-valgrind.sh \
  tests/check-simulation.sh \
  tests/test_simulation.sh \
  tests/test_tuner.sh \
  tests/test_map.sh \
  tests/test_check_long.sh \
  bench/test_compare.sh

# Of all these (programs by name, scripts with .sh), those whose figures another test at work would disturb: they run
# last and one by one.
copse_alone_tests = \
  tests/test_vm_huge tests/test_vm_huge_instrumented \
  tests/test_span_limits tests/test_span_limits_instrumented \
  tests/test_huge_pages tests/test_huge_pages_instrumented \
  tests/test_limits tests/test_limits_instrumented \
  tests/test_trim_threads tests/test_trim_threads_instrumented \
  tests/check-hotpath.sh

# What the scripts about tools have compiled.
copse_tool_files = tests/coverage.sh tests/tools.sh tests/undefined.sh tests/under-tool.sh tests/under-tool.list tests/tool_program.c tests/empty/annotate.h tests/empty/check.h \
  tests/faults/no_alloc.h tests/faults/no_enter.h tests/faults/no_free.h tests/faults/no_fresh.h \
  tests/faults/no_report.h tests/faults/no_reserved.h tests/faults/own_words.h tests/faults/relaxed_pop.h \
  tests/faults/relaxed_push.h tests/faults/room_for_size.h \
  tests/installcheck/run.sh tests/installcheck/race.c tests/installcheck/after_free.c

# Every unit test under every tool with every compiler; CI does some of them (build-aux/ci/27-under-tools.sh).
copse_under_tools = \
  check-under-asan.gcc check-under-asan.clang check-under-asan.clang-19 \
  check-under-ubsan.gcc check-under-ubsan.clang check-under-ubsan.clang-19 \
  check-under-tsan.gcc check-under-tsan.clang check-under-tsan.clang-19 \
  check-under-tsan-user.gcc check-under-tsan-user.clang check-under-tsan-user.clang-19 \
  check-under-msan.clang check-under-msan.clang-19
CHECK_LONG += $(copse_under_tools) check-under-valgrind
$(copse_under_tools): check-under-%: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/under-tool.sh $(basename $*) $(patsubst .%,%,$(suffix $*))
check-under-valgrind: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/under-tool.sh valgrind '$(CC)'
# A tool that fails keeps none from running.
check-under-tools: all
	@$(SHELL) $(top_srcdir)/build-aux/check-long.sh $(copse_under_tools) check-under-valgrind
.PHONY: check-under-tools $(copse_under_tools) check-under-valgrind

# How much of lib/ the tests reach, by clang's counters.
CHECK_LONG += check-coverage
check-coverage: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' $(SHELL) $(top_srcdir)/tests/coverage.sh 97
.PHONY: check-coverage

# The unit tests of other ports against those of the build: aarch64 emulated, musl, all of it static.
EXTRA_DIST += tests/ports.sh tests/ports.list tests/check-aarch64.sh tests/check-libc.sh
CHECK_LONG += check-aarch64 check-musl check-static
check-aarch64: all
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(top_srcdir)/tests/check-aarch64.sh
check-musl check-static: all
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(top_srcdir)/tests/check-libc.sh $(@:check-%=%)
.PHONY: check-aarch64 check-musl check-static

# Each command that a document shows, some of which build here.
EXTRA_DIST += tests/check-commands.sh tests/commands.list
CHECK_LONG_ALONE += check-commands
check-commands: all
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(top_srcdir)/tests/check-commands.sh
.PHONY: check-commands

# Programs on the installed library.  COPSE_TOOL_CC names other compilers than the build's.
installcheck-local:
	$(AM_TESTS_ENVIRONMENT) DESTDIR='$(DESTDIR)' libdir='$(libdir)' $(SHELL) $(top_srcdir)/tests/installcheck/run.sh

# What tests share.
copse_test_headers = tests/tap.sh tests/cmocka-tap.sh tests/core.h tests/pool_help.h tests/vm_faults.h \
  tests/vm_faults.c tests/process.h tests/random.h tests/balance.h tests/child.h tests/span_help.h tests/worker.h \
  tests/pool_trim_help.h tests/beneath.h \
  tests/cache_help.h tests/report_help.h tests/fork_help.h tests/huge_pool.h tests/resident.h tests/under.h tests/setting.h \
  tests/walk_help.h tests/check-walk-faults.sh tests/map_sums.awk tests/map_pixels.py tests/check-map-browser.sh

copse_unit_programs = $(copse_unit_tests) $(copse_unit_tests:=_instrumented)

TEST_EXTENSIONS = .sh
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/cmocka-tap.sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' CMOCKA_MESSAGE_OUTPUT=TAP $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh

# The tests take these from here, so that none of them is tied to a place.
AM_TESTS_ENVIRONMENT = \
  top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
  CC='$(CC)'; CXX='$(CXX)'; CFLAGS='$(CFLAGS)'; NM='$(NM)'; OBJDUMP='$(OBJDUMP)'; READELF='$(READELF)'; \
  COPSE_SHARED='$(copse_shared)'; COPSE_CXX='$(copse_have_cxx)'; COPSE_SANITIZERS='$(copse_sanitizers)'; \
  DEATH_COLUMNS="$${DEATH_COLUMNS-plain asan}"; \
  export top_srcdir top_builddir CC CXX CFLAGS NM OBJDUMP READELF COPSE_SHARED COPSE_CXX COPSE_SANITIZERS DEATH_COLUMNS;

EXTRA_DIST += tests/test_copse_cxx.cc tests/test_copse_hpp.cc $(copse_unit_tests:=.c) $(copse_test_headers) $(copse_script_tests) $(copse_tool_files)

if COPSE_CMOCKA
TESTS += $(copse_unit_programs) $(copse_script_tests)
MOSTLYCLEANFILES += $(copse_unit_programs)
check_DATA += $(copse_unit_programs)
else
check-local:
	@echo "make check needs cmocka (Debian: libcmocka-dev): install it and run configure again" >&2; exit 1
endif

# Order alone, and only of those that run this time.
copse_alone_logs = $(filter $(TEST_LOGS),$(addsuffix .log,$(copse_alone_tests:.sh=)))
copse_before = $(filter-out $(copse_alone_logs),$(TEST_LOGS))
$(foreach log,$(copse_alone_logs),$(eval $(log): | $(copse_before))$(eval copse_before += $(log)))

# One source, two objects: written out for GNU make, since automake would want six lines for each test.
copse_test_compile = $(AM_V_CC)$(MKDIR_P) tests/.deps && \
  $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(INCLUDES) $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS) \
  $(TEST_CFLAGS) -MMD -MP -MF tests/.deps/$(@F:.o=.d)
copse_test_link = $(AM_V_CCLD)$(LIBTOOL) $(AM_V_lt) --tag=CC $(AM_LIBTOOLFLAGS) $(LIBTOOLFLAGS) --mode=link \
  $(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -o $@

tests/test_%_instrumented.o: tests/test_%.c
	$(copse_test_compile) -DCOPSE_INSTRUMENTED -c -o $@ $<
tests/test_%.o: tests/test_%.c
	$(copse_test_compile) -c -o $@ $<
# Every test may make the system's memory calls fail.
tests/vm_faults.o: tests/vm_faults.c
	$(copse_test_compile) -c -o $@ $<
tests/test_%_instrumented: tests/test_%_instrumented.o tests/vm_faults.o lib/libcopse_internal_instrumented.la
	$(copse_test_link) $^ $(CMOCKA_LIBS) $(LDLIBS) $(LIBS)
tests/test_%: tests/test_%.o tests/vm_faults.o lib/libcopse_internal.la
	$(copse_test_link) $^ $(CMOCKA_LIBS) $(LDLIBS) $(LIBS)
.PRECIOUS: tests/vm_faults.o tests/test_%.o tests/test_%_instrumented.o
-include $(wildcard tests/.deps/*.d)

mostlyclean-local:
	-rm -rf tests/.deps tests/vm_faults.o tests/test_*.o
