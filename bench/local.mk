# SPDX-License-Identifier: MIT
# The benchmark: the same workloads three times, by malloc, by the native calls, and by the inlined ones.

bench_workload_sources = \
  bench/alloc.h bench/bench.h bench/clock.h bench/mail.h bench/workloads.h \
  bench/bench.c bench/identify.c bench/team.c bench/trim.c \
  bench/w_batch.c bench/w_churn.c bench/w_cold.c bench/w_empty.c bench/w_fresh.c bench/w_large.c bench/w_larson.c \
  bench/w_latency.c bench/w_pair.c bench/w_pc.c bench/w_realloc.c bench/w_resident.c bench/w_rptest.c \
  bench/w_sh6.c bench/w_sh8.c bench/w_simple.c bench/w_xmalloc.c

noinst_PROGRAMS += bench/workloads bench/workloads-sized bench/workloads-inline bench/measure

bench_cppflags = $(AM_CPPFLAGS) -D_GNU_SOURCE
# The compiler may not know what malloc is: it drops pairs that nobody looks at.
bench_cflags = $(AM_CFLAGS) -fno-builtin-malloc -fno-builtin-free -fno-builtin-realloc

# Bound at the start, as distributions link: the table of addresses, which each call reads, then ends where a page does, and not
# begins there.  A load waits for older stores that agree with it in the low 12 bits, and objects begin where pages do.
bench_ldflags = $(AM_LDFLAGS) -Wl,-z,relro,-z,now

bench_workloads_SOURCES = $(bench_workload_sources)
bench_workloads_CPPFLAGS = $(bench_cppflags)
bench_workloads_CFLAGS = $(bench_cflags)
bench_workloads_LDFLAGS = $(bench_ldflags)
bench_workloads_LDADD = -ldl

bench_workloads_sized_SOURCES = $(bench_workload_sources)
bench_workloads_sized_CPPFLAGS = $(bench_cppflags) -DBENCH_SIZED
bench_workloads_sized_CFLAGS = $(bench_cflags)
bench_workloads_sized_LDFLAGS = $(bench_ldflags)
bench_workloads_sized_LDADD = lib/libcopse.la -ldl

# -static: libtool takes libcopse.a
bench_workloads_inline_SOURCES = $(bench_workload_sources)
bench_workloads_inline_CPPFLAGS = $(bench_cppflags) -DBENCH_INLINE
bench_workloads_inline_CFLAGS = $(bench_cflags)
bench_workloads_inline_LDFLAGS = $(bench_ldflags) -static
bench_workloads_inline_LDADD = lib/libcopse.la -ldl

bench_measure_SOURCES = bench/measure.c
bench_measure_CPPFLAGS = $(bench_cppflags)

bench_harness = \
  bench/compare bench/contention bench/rows bench/rows-growth bench/targets \
  bench/harness/allocators.py bench/harness/machine.py bench/harness/plot.py bench/harness/programs.py \
  bench/harness/refusal.py bench/harness/report.py bench/harness/rows.py bench/harness/runner.py \
  bench/harness/summary.py

bench_programs = \
  bench/programs/clang.sh bench/programs/compile.bash bench/programs/gcc.sh bench/programs/git.sh \
  bench/programs/lua.sh bench/programs/perl.sh bench/programs/python-malloc.sh bench/programs/python.sh \
  bench/programs/redis.sh bench/programs/sqlite.sh

EXTRA_DIST += bench/README bench/RESULTS.md bench/test_compare.sh $(bench_harness) $(bench_programs)

# A first look; see bench/README for what may be published.
benchmark: $(noinst_PROGRAMS) $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/compare --quick --build .
.PHONY: benchmark

# What the instrumented library costs, alone and under each tool: for doc/DEBUGGING.
EXTRA_DIST += bench/instrumented-cost.sh bench/instrumented_cost.c
