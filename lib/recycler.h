/* SPDX-License-Identifier: MIT */
/*
 * Hands bundles between threads: a bounded lock-free stack.
 * Source: R. K. Treiber, Systems Programming: Coping with Parallelism, IBM RJ 5118, 1986; the generation against ABA is
 * that of IBM System/370 Principles of Operation, "compare double and swap".
 *
 *   head: [ bundle : 63..10 ][ count : 9..0 ] [ generation : 64 ]
 *
 * Invariant: a bundle's memory is never unmapped and its `next` is nobody's slot, hence a stale read of `next` is
 * harmless, and the generation, which each push raises, makes the CAS fail.  The count rides in the word that is
 * swapped, so that the bound cannot drift.  No state in between: nobody ever waits for a thread that is stopped.
 */
#ifndef COPSE_RECYCLER_H
#define COPSE_RECYCLER_H

#include "atomic.h"
#include "bundle.h"

enum { RECYCLER_MAX = 1000 };
#define RECYCLER_COUNT ((u64)BUNDLE_BYTES - 1)

struct recycler {
  struct pair head; /* low: bundle and count; high: generation */
} __attribute__((aligned(APART)));

/* false: it holds `cap` bundles or more (a cap of at most RECYCLER_MAX), and `b` is still the caller's. */
hidden bool copse_recycler_push_mpmc(struct recycler *r, struct bundle *b, unsigned cap);
/* NULL: it is empty. */
hidden struct bundle *copse_recycler_pop_mpmc(struct recycler *r);
/* Slots in its bundles, all of which are full.  Exact where nobody pushes or pops; always safe. */
hidden u64 copse_recycler_slots(const struct recycler *r);
/* How many it holds at this moment. */
static inline unsigned recycler_count(const struct recycler *r) {
  /* relaxed: a figure, through which nothing is read. */
  return (unsigned)(load_relaxed(&r->head.low) & RECYCLER_COUNT);
}

#endif
