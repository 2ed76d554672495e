/* SPDX-License-Identifier: MIT */
/*
 * Allocations above the largest class: runs of 2 MB granules in the spans' regions.
 * A table has one u64 a granule: the span's length in bytes (page-rounded) at its first granule, else 0.  Lookup is one
 * load; free takes the entry by an atomic exchange.  Runs are found first-fit in a bitmap under the span lock; no system
 * call under it.  A freed span keeps its pages in the cache, up to "span_cache" bytes, oldest out first.
 * Invariant: a granule is in exactly one of: a live span, a cached span, in flight, free.
 */
#ifndef COPSE_SPAN_H
#define COPSE_SPAN_H

#include "base.h"
#include "copse.h"
#include "lock.h"

#define GRANULE ((u64)2 << 20)

struct span_counters {
  u64 spans, bytes, cached; /* live spans, bytes in them, bytes in the cache; relaxed */
};
hidden extern struct span_counters copse_span_counters;
hidden extern struct lock copse_span_lock;

/* Once, after copse_region_start.  false: no memory. */
hidden bool copse_span_start(void);

/* At least `size` bytes (> 0, any), aligned to max(2 MB, alignment).  zero: the bytes are zero.  NULL: no memory (errno not set). */
hidden void *copse_span_alloc(u64 size, u64 alignment, bool zero);
/* Frees.  false: `p` is not the start of a live span; nothing changed. */
hidden bool copse_span_free(void *p);
/* The same, and adds to *bytes what went back to the system, as copse_span_trim counts. */
hidden bool copse_span_free_counted(void *p, u64 *bytes);
/* Usable bytes; 0: not the start of a live span.  One load. */
hidden u64 copse_span_size(const void *p);
/*
 * Grows or shrinks in place, or else moves by remapping pages; the contents up to the lesser of both stay.
 * Returns the new start, or NULL with the span as it was: then the caller copies.
 */
hidden void *copse_span_resize(void *p, u64 size);
/* Gives the pages of all cached spans back.  Returns bytes. */
hidden u64 copse_span_trim(void);
/* The same, and takes back the access of all granules that nobody has. */
hidden void copse_span_shrink(void);
/*
 * Copies up to `room` spans, live and cached ones, from granule *at on, all at one instant, and moves *at behind what was looked
 * at.  `room`, and a number of granules, bound how long the lock is held.  Sets *n; false: those were the last.
 */
hidden bool copse_span_look(u64 *at, struct copse_block *out, size_t room, size_t *n);
/* Whether bitmap, table, cache and counters agree.  Takes the lock.  For tests and the instrumented library. */
hidden bool copse_span_valid(void);
/* In a forked child: runs that were in flight in other threads are found (owned by nobody) and freed.  The lock is held. */
hidden void copse_span_fork_child(void);

#endif
