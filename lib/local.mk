# SPDX-License-Identifier: MIT
# The libraries.  Every source file is listed; tests/check-layers.sh knows which floor each belongs to.

copse_core_sources = \
  lib/atomic.h lib/base.h lib/cancel.h lib/say.h lib/say.c lib/held.h lib/check.h lib/check.c \
  lib/annotate.h lib/annotate_tools.h lib/annotate.c lib/annotate_asan.c lib/annotate_msan.c lib/annotate_tsan.c \
  lib/annotate_valgrind.c \
  lib/tunables.h lib/tunables.c lib/tune.h lib/tune.c \
  lib/lock.h lib/lock.c \
  lib/vm.h lib/vm_call.h lib/vm.c lib/vm_huge.c \
  lib/size_class.h lib/size_class.c \
  lib/bit_tree.h lib/bit_tree.c lib/chain.h lib/chain.c \
  lib/region.h lib/region.c lib/region_reach.c \
  lib/side.h lib/side.c lib/stack.h lib/stack.c lib/stack_print.c lib/symbol.h lib/symbol.c \
  lib/quarantine.h lib/quarantine.c \
  lib/report.h lib/report.c lib/report_place.h lib/report_place.c lib/report_leaks.c \
  lib/guard.h lib/guard.c lib/guard_bytes.h lib/guard_bytes.c lib/guard_service.c \
  lib/pool.h lib/pool.c lib/pool_grow.c lib/pool_trim.c lib/pool_piece.h lib/pool_give.c lib/pool_shrink.c lib/pool_count.c lib/pool_look.c \
  lib/span.h lib/span_state.h lib/span.c lib/span_claim.c lib/span_release.c lib/span_resize.c lib/span_cache.c \
  lib/span_check.c lib/span_look.c lib/span_run.h lib/span_run.c \
  lib/bundle.h lib/bundle.c \
  lib/recycler.h lib/recycler.c \
  lib/cache.h lib/cache.c lib/cache_direct.c lib/cache_count.c lib/registry.c \
  lib/start.h lib/start.c \
  lib/trim.h lib/trim.c \
  lib/resort.h lib/resort.c \
  lib/stats.h lib/stats.c \
  lib/fork.h lib/fork.c \
  lib/copse.h lib/copse-inline.h lib/copse.c lib/batch.c lib/walk.c

copse_dropin_sources = $(copse_core_sources) \
  lib/malloc.c lib/malloc_info.c lib/malloc_map.c lib/malloc_stats.c lib/malloc_summary.h lib/malloc_words.h

include_HEADERS += lib/copse.h lib/copse-inline.h lib/copse.hpp
EXTRA_DIST += lib/LAYERS lib/copse.map lib/copse-malloc.map

# libtool's current:revision:age, from 0:0:0.  At each release, since the last one: if any source changed, revision++;
# if an interface was added, changed or removed, current++ and revision = 0; if one was added and none changed or removed,
# age++; if one was changed or removed, age = 0.
copse_version_info = 0:0:0

# nodelete: a thread's exit handler and live objects outlast a dlclose.
copse_shared_ldflags = -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-Bsymbolic-functions \
  -Wl,--no-undefined-version

# ---- for tests: no version script and static, so that every hidden symbol can be reached
noinst_LTLIBRARIES += lib/libcopse_internal.la lib/libcopse_internal_instrumented.la
lib_libcopse_internal_la_SOURCES = $(copse_core_sources)
lib_libcopse_internal_instrumented_la_SOURCES = $(copse_core_sources)
lib_libcopse_internal_instrumented_la_CPPFLAGS = $(AM_CPPFLAGS) -DCOPSE_INSTRUMENTED
# Stacks are walked by frame pointers, from copse's own functions on.
lib_libcopse_internal_instrumented_la_CFLAGS = $(AM_CFLAGS) -fno-omit-frame-pointer

# ---- the library: its objects are those of libcopse_internal
lib_LTLIBRARIES += lib/libcopse.la lib/libcopse-instrumented.la
copse_library_ldflags = $(AM_LDFLAGS) -version-info $(copse_version_info) -no-undefined \
  $(copse_shared_ldflags) -Wl,--version-script=$(top_srcdir)/lib/copse.map
lib_libcopse_la_SOURCES = $(copse_core_sources)
lib_libcopse_la_LDFLAGS = $(copse_library_ldflags)
EXTRA_lib_libcopse_la_DEPENDENCIES = lib/copse.map

lib_libcopse_instrumented_la_SOURCES =
lib_libcopse_instrumented_la_LIBADD = lib/libcopse_internal_instrumented.la
lib_libcopse_instrumented_la_LDFLAGS = $(copse_library_ldflags)
EXTRA_lib_libcopse_instrumented_la_DEPENDENCIES = lib/copse.map

# ---- the drop-in: a core of its own, never static.  -fno-builtin: gcc makes calloc's body a call of calloc.
if COPSE_SHARED
lib_LTLIBRARIES += lib/libcopse-malloc.la lib/libcopse-malloc-instrumented.la
copse_dropin_cppflags = $(AM_CPPFLAGS) -DCOPSE_DROPIN
# -shared: libtool compiles each object once.
# initfirst: its handlers of fork are registered before those of other libraries, and so take its locks behind theirs.
# tests/coverage.sh builds without, for what runs before all else of the process runs before the counters do.
copse_initfirst = -Wl,-z,initfirst
copse_dropin_cflags = $(AM_CFLAGS) -fno-builtin -shared
copse_dropin_ldflags = $(AM_LDFLAGS) -avoid-version -no-undefined -shared \
  $(copse_shared_ldflags) $(copse_initfirst) -Wl,--version-script=$(top_srcdir)/lib/copse-malloc.map
lib_libcopse_malloc_la_SOURCES = $(copse_dropin_sources)
lib_libcopse_malloc_la_CPPFLAGS = $(copse_dropin_cppflags)
lib_libcopse_malloc_la_CFLAGS = $(copse_dropin_cflags)
lib_libcopse_malloc_la_LDFLAGS = $(copse_dropin_ldflags)
EXTRA_lib_libcopse_malloc_la_DEPENDENCIES = lib/copse-malloc.map

lib_libcopse_malloc_instrumented_la_SOURCES = $(copse_dropin_sources)
lib_libcopse_malloc_instrumented_la_CPPFLAGS = $(copse_dropin_cppflags) -DCOPSE_INSTRUMENTED
lib_libcopse_malloc_instrumented_la_CFLAGS = $(copse_dropin_cflags) -fno-omit-frame-pointer
lib_libcopse_malloc_instrumented_la_LDFLAGS = $(copse_dropin_ldflags)
EXTRA_lib_libcopse_malloc_instrumented_la_DEPENDENCIES = lib/copse-malloc.map

# The C++ operators stand apart, so that a C program does not load libstdc++.  They call the malloc family of whichever
# drop-in is loaded with them, release or instrumented: hence neither is linked here.
if COPSE_CXX
lib_LTLIBRARIES += lib/libcopse-new.la
lib_libcopse_new_la_SOURCES = lib/new.cc
lib_libcopse_new_la_CPPFLAGS = $(copse_dropin_cppflags)
# A program may put an operator of its own in between: gcc's link-time optimisation takes the word weak for nothing.
lib_libcopse_new_la_CXXFLAGS = $(filter-out -pthread,$(AM_CXXFLAGS)) -fno-builtin -fsemantic-interposition -shared
lib_libcopse_new_la_LDFLAGS = $(AM_LDFLAGS) -avoid-version -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now
else
EXTRA_DIST += lib/new.cc
endif
else
EXTRA_DIST += $(copse_dropin_sources) lib/new.cc
endif
