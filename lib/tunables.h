/* SPDX-License-Identifier: MIT */
/*
 * The constants that somebody may want to argue about, and the run-time parameters with their ranges.
 * The values are read relaxed, where bundles are exchanged and slower; tune.c is the only writer.
 */
#ifndef COPSE_TUNABLES_H
#define COPSE_TUNABLES_H

#include "annotate.h"
#include "base.h"

/* ---- constants: name, value, why ---- */

/* Address bits of a region where the reservation got all it asked for: 2^38 x 64 regions = 16 TB. */
#define REGION_BITS_MAX 38
/* The same with several arenas: 2^35 x 544 regions = 17 TB, aligned to 16 TB, of the 128 TB that a process has on x86-64. */
#define REGION_BITS_MAX_ARENAS 35
/* Where less than 1 GB a region fits, one arena has all of it. */
#define REGION_BITS_MIN_ARENAS 30
/* Where less than 2 MB a region fits, nothing does: 128 MB in all. */
#define REGION_BITS_MIN 21
/* Slots of this size and more are committed, and given back, one by one. */
#define SLOTWISE_SIZE 4096
/* Zeroed requests of this size and more go past the cache, to memory known to be zero. */
#define ZERO_PAST_CACHE 16384
/* An allocation of a class of this size and more becomes a span when it grows. */
#define REALLOC_SPAN ((u64)64 << 10)
/* What the recycler of one class may hold at most, of each arena, beside its cap in bundles. */
#define RECYCLER_BYTES ((u64)4 << 20)
/* A thread opens its first bundle of a class this deep, and doubles from there: to 56 and 112 in a bundle of up to 120, so that
 * what was freed last comes out first whatever the bundle grew from. */
#define DEPTH_FIRST 7
/* Slots that a thread frees without a cache, where it has allocated nothing yet: more than one that ends has of others, as a rule. */
#define FREES_DIRECT 64
/* Bytes that one lock hold of a trim detaches at most. */
#define TRIM_BATCH ((u64)2 << 20)
/* Blocks that one lock hold of a trim looks at, at most. */
#define TRIM_BLOCKS 128
/* Free runs of a block in use are given back from this slot size on; below, a page is hardly ever free. */
#define TRIM_RUN_SIZE 256
/* A pool asks for transparent huge pages once it has grown beyond this. */
#define HUGE_AFTER ((u64)8 << 20)
/* A new peak of memory in use counts from so many bytes above the last on, whatever "peak_trim" says. */
#define PEAK_STEP ((u64)1 << 20)
/* A pool of which most of what it gave at a peak came into use again, this much of it or more, is left alone for up to so many peaks. */
#define PEAK_LEAST ((u64)64 << 10)
#define PEAK_PATIENCE 7
/* Where "peak_trim" is 0, how many per cent later it is asked for again. */
#define PEAK_TRIM_ASKED 25
/* Empty bundles that a cache keeps; more go round in batches of half as many. */
#define EMPTIES_KEPT 16

static_assert(REGION_BITS_MAX <= 38, "a chain of trees spans 2^38 bytes of the smallest class");
static_assert(EMPTIES_KEPT % 2 == 0, "batches are half of it");

/* ---- parameters: X(name, default, least, greatest, only before the first allocation) ---- */
#ifdef COPSE_DROPIN
#define HUGE_DEFAULT 1 /* a forked child may be killed for lack of an explicit huge page */
#define PEAK_TRIM_DEFAULT 5
#else
#define HUGE_DEFAULT 2
#define PEAK_TRIM_DEFAULT 0 /* whoever links copse knows when to trim */
#endif
/* One in the instrumented library: its records are by class, and TSan counts the locks that a fork takes. */
#ifdef COPSE_INSTRUMENTED
#define ARENAS_MOST 1
#else
#define ARENAS_MOST 8
#endif
/* A fork takes the lock of each pool, and TSan ends a program that holds 64. */
#define ARENAS_DEFAULT (COMPILED_WITH_TSAN ? 1 : ARENAS_MOST)
#define COPSE_PARAMETERS(X) \
  X(depth_1k, 112, 4, 120, false)   /* slots in a bundle, classes up to 1 KB */ \
  X(depth_8k, 56, 2, 120, false)    /* above, up to 8 KB */ \
  X(depth_64k, 28, 1, 120, false)   /* above, up to 64 KB */ \
  X(depth_1m, 2, 1, 120, false)     /* above, up to 1 MB */ \
  X(recycler, 16, 0, 1000, false)   /* full bundles that a class's recycler keeps, of each arena */ \
  X(growth_min, (u64)64 << 10, 4096, (u64)1 << 30, false) /* bytes that a pool's first growth step commits */ \
  X(growth_max, (u64)16 << 20, 4096, (u64)1 << 30, false) /* and that any later one does at most */ \
  X(huge, HUGE_DEFAULT, 0, 2, false) /* 0 never, 1 transparent huge pages, 2 explicit ones first */ \
  X(cooldown, 0, 0, 1000, false)    /* trims that a free block keeps its pages through */ \
  X(peak_trim, PEAK_TRIM_DEFAULT, 0, 1000, false) /* per cent above its last peak at which memory in use has a trim made; 0: none */ \
  X(span_cache, (u64)32 << 20, 0, (u64)1 << 40, false) /* bytes of freed spans that keep their pages */ \
  X(limit, 0, 0, (u64)1 << 46, false) /* bytes in use, above which requests fail; 0: none */ \
  X(reserve, (u64)1 << 45, (u64)1 << 27, (u64)1 << 45, true) /* bytes of address space to ask for */ \
  X(arenas, ARENAS_DEFAULT, 1, ARENAS_MOST, true) /* homes of slots, among which threads are spread */ \
  COPSE_INSTRUMENTED_PARAMETERS(X)

/* Of the instrumented library alone. */
#ifdef COPSE_INSTRUMENTED
#define COPSE_INSTRUMENTED_PARAMETERS(X) \
  X(misuse, 0, 0, 1, false)         /* what follows a report: 0 abort, 1 a trap instruction, for debuggers */ \
  X(quarantine, (u64)1 << 20, 0, (u64)1 << 30, false) /* bytes of freed slots that each class holds back */ \
  X(stacks, 1, 0, 1, false)         /* whether the stacks of allocations and frees are kept */ \
  X(leaks, 0, 0, 2, false)          /* at exit: 0 nothing, 1 list what is live, 2 and exit with status 23 if anything is */ \
  X(tsan, COMPILED_WITH_TSAN, 0, 1, true) /* 0 copse's own synchronisation hides no race of the user's, 1 it is checked itself */
#else
#define COPSE_INSTRUMENTED_PARAMETERS(X)
#endif

struct tunables {
#define X(name, value, least, greatest, early) u64 name;
  COPSE_PARAMETERS(X)
#undef X
};

hidden extern struct tunables copse_tunables;

#define X(name, value, least, greatest, early) \
  static_assert((value) >= (least) && (value) <= (greatest), "the default of " #name " is in its range");
COPSE_PARAMETERS(X)
#undef X

#endif
