# SPDX-License-Identifier: MIT
# Tests of the drop-ins: programs that know nothing of copse, run by tests/test_dropin.sh with each drop-in preloaded.

copse_dropin_programs = tests/test_malloc tests/test_malloc_info tests/test_malloc_misuse \
  tests/test_malloc_process tests/test_malloc_own tests/test_malloc_counted tests/test_malloc_atfork
copse_dropin_cxx_programs = tests/test_new tests/test_new_replaced tests/test_new_sized

EXTRA_DIST += tests/test_dropin.sh tests/test_copse_run.sh \
  $(copse_dropin_programs:=.c) tests/test_malloc.h tests/malloc_plugin.c \
  $(copse_dropin_cxx_programs:=.cc) tests/test_new.h

if COPSE_SHARED
if COPSE_CMOCKA
check_PROGRAMS += $(copse_dropin_programs)
TESTS += tests/test_dropin.sh tests/test_copse_run.sh

# -fno-builtin: the compiler would leave out a malloc whose result it thinks it knows.  As ordinary programs these are not
# compiled with hidden visibility: some bring a malloc or operators of their own, which are to be heard.
copse_dropin_test_flags = -fno-builtin -fvisibility=default
copse_dropin_test_cflags = $(AM_CFLAGS) $(copse_dropin_test_flags) -Wno-deprecated-declarations
tests_test_malloc_CFLAGS = $(copse_dropin_test_cflags)
tests_test_malloc_LDADD = $(CMOCKA_LIBS)
tests_test_malloc_info_CFLAGS = $(copse_dropin_test_cflags)
tests_test_malloc_info_LDADD = $(CMOCKA_LIBS)
# Stacks are looked at: no caller may leave its place to what it calls last.
tests_test_malloc_misuse_CFLAGS = $(copse_dropin_test_cflags) -fno-optimize-sibling-calls -fno-omit-frame-pointer
tests_test_malloc_misuse_LDADD = $(CMOCKA_LIBS)
tests_test_malloc_process_CFLAGS = $(copse_dropin_test_cflags)
tests_test_malloc_process_LDADD = $(CMOCKA_LIBS)
tests_test_malloc_own_CFLAGS = $(copse_dropin_test_cflags)
tests_test_malloc_counted_CFLAGS = $(copse_dropin_test_cflags)
tests_test_malloc_atfork_CFLAGS = $(copse_dropin_test_cflags)

# What test_malloc_process loads and unloads.  -rpath makes libtool build a shared object that is not installed.
check_LTLIBRARIES += tests/malloc_plugin.la
tests_malloc_plugin_la_SOURCES = tests/malloc_plugin.c
tests_malloc_plugin_la_CFLAGS = $(copse_dropin_test_cflags)
tests_malloc_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere

if COPSE_CXX
check_PROGRAMS += $(copse_dropin_cxx_programs)
# clang leaves sized deallocation out unless it is asked for.
copse_dropin_test_cxxflags = $(AM_CXXFLAGS) $(copse_dropin_test_flags) -fsized-deallocation
tests_test_new_SOURCES = tests/test_new.cc
tests_test_new_CXXFLAGS = $(copse_dropin_test_cxxflags)
tests_test_new_replaced_SOURCES = tests/test_new_replaced.cc
tests_test_new_replaced_CXXFLAGS = $(copse_dropin_test_cxxflags)
tests_test_new_sized_SOURCES = tests/test_new_sized.cc
tests_test_new_sized_CXXFLAGS = $(copse_dropin_test_cxxflags)
# Its free_sized is wanted by a library that the linker does not see.
tests_test_new_sized_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
endif
endif
endif
