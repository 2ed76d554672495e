/* SPDX-License-Identifier: MIT */
/*
 * A bundle: up to 120 slot addresses, out of band, on a 1 KB boundary.  Its memory is never unmapped.
 *
 *   0      8       16       24     32          48  56     64                      1024
 *   | next | batch | bottom | held | made .. | giver | NULL | slot 0 .. slot 119 |
 *
 * A bundle of depth d uses the upper d slots; the word below them is NULL.  A bundle of class c is a promise: every slot
 * in it is at least that large and that aligned.
 * It belongs to one thread at a time (its top, its spare, its empties) or to a recycler.
 * Between two of these places it is in some thread's hand, and `held` says what is in it, at every instruction: so a child of
 * fork, which finds bundles in no place, knows what is lost with them.  In a place, `held` is out of date.
 */
#ifndef COPSE_BUNDLE_H
#define COPSE_BUNDLE_H

#include "atomic.h"
#include "held.h"

enum { BUNDLE_BYTES = 1024, BUNDLE_SLOTS = 120 };

struct bundle {
  struct bundle *next;  /* in a recycler: the one below.  Atomic, relaxed: a pop that lost reads a stale one, and retries */
  struct bundle *batch; /* of empties: the next in this thread's list, or in the batch */
  void **bottom;        /* &slot[120 - depth] */
  u64 held;             /* slots at `bottom` that are in no other place, while the bundle is in a hand: see held.h */
  struct bundle *made;  /* of the first of those made at once: the first of those made before */
  u64 made_count;       /* and how many they are */
  const void *giver;    /* of a full one, in a recycler: the cache that passed it on */
  void *null;
  void *slot[BUNDLE_SLOTS];
};
static_assert(sizeof(struct bundle) == BUNDLE_BYTES, "a bundle is 1 KB");
static_assert(offsetof(struct bundle, null) == 56 && offsetof(struct bundle, slot) == 64, "NULL stands below the slots");

/* The bundle that `top` points into; of a full one it is the byte behind. */
static inline struct bundle *bundle_of(void **top) {
  return (struct bundle *)(((uptr)top - 1) & ~(uptr)(BUNDLE_BYTES - 1));
}
/* relaxed: statistics read the bottom of bundles that are another thread's by now, and get a figure, if an old one. */
static inline void **bundle_bottom(const struct bundle *b) { return load_relaxed(&b->bottom); }
/* Of a bottom that was read before. */
static inline unsigned bundle_depth_from(const struct bundle *b, void *const *bottom) {
  return (unsigned)((void *const *)b->slot + BUNDLE_SLOTS - bottom);
}
static inline unsigned bundle_depth(const struct bundle *b) { return bundle_depth_from(b, bundle_bottom(b)); }
static inline unsigned bundle_count(const struct bundle *b, void **top) { return (unsigned)(top - bundle_bottom(b)); }

/* Makes an empty bundle that holds `depth` slots, 1 to 120. */
static inline void bundle_open(struct bundle *b, unsigned depth) {
  void **bottom = b->slot + BUNDLE_SLOTS - depth;
  store_relaxed(&b->bottom, bottom);
  store_relaxed(bottom - 1, NULL);
}

/*
 * New bundles, `n` at most, linked by `batch`; NULL: no memory.  Any thread, no lock: the claim is an atomic add, and
 * each claimant commits its own.
 */
hidden struct bundle *copse_bundle_make(unsigned n);
/* The first of those made last; the others follow by `made`.  For a child of fork. */
hidden extern struct bundle *copse_bundles_made;

#endif
