/* SPDX-License-Identifier: MIT */
/*
 * A thread's bundles: one that it works on and a spare, a class; one more, a class of each other arena, for what it frees of
 * theirs; and the registry of all such records.
 *
 * Records are never unmapped; a record of a thread that ended is taken by the next one.  Only its thread writes a record,
 * but for the spares, which are exchanged atomically, so that a trim can take those of a thread that is blocked.
 * At every instruction a slot that nobody has is in exactly one of {top, spare, recycler, block word, a bundle in a hand}: a
 * bundle's `held` is right before it leaves a place and until it is in the next, and each is entered and left by one store, or
 * under a pool's lock.  So a child of fork finds each slot once, and what was in another thread's hand is lost and counted.
 *
 * A thread starts on the record `start`, whose tops point into a bundle that is both empty and full; so its first call
 * needs no test.  After its end it stands on `exited`, just such a one: then every operation goes to the pool.
 */
#ifndef COPSE_CACHE_H
#define COPSE_CACHE_H

#include "base.h"
#include "atomic.h"
#include "bundle.h"
#include "copse-inline.h"
#include "recycler.h"
#include "region.h"
#include "size_class.h"

/*
 * Where in its page a record's hot part begins.  A load waits for an older store that agrees with it in the low 12 bits until
 * that is in the first cache; the first store to a new object takes a cache miss, and objects begin on multiples of 16, many of
 * them on multiples of 64 to 4096.  So what each call reads stands where few of them begin.
 * Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, "4-KByte aliasing"; doc/PERFORMANCE has what it costs.
 */
#define HOT_OFFSET 0x208
#define RECORD_ALIGNMENT 4096

struct cache {
  /* Owner; tops are read by others. */
  u8 depth[COPSE_TOPS_];         /* of the bundle that was opened last; 0: none since the last flush */
  struct bundle *empties;        /* linked by `batch` */
  struct copse_hot_ hot;
  unsigned empties_count;
  u64 refills, flushes, pops, pushes; /* read by statistics */

  /* Owner writes, trim reads. */
  u64 seen __attribute__((aligned(APART))); /* the generation that this thread has followed */

  /* Atomic, written by anybody. */
  u64 spare[CLASSES] __attribute__((aligned(APART))); /* bundle | slots in it; 0: none */
  u32 taken;                     /* has a thread */

  /* Constant once it is in the registry. */
  unsigned number, arena;
  struct cache *next;
} __attribute__((aligned(RECORD_ALIGNMENT)));
static_assert(offsetof(struct cache, hot) == HOT_OFFSET, "few objects begin where the hot part stands");

hidden extern struct cache copse_cache_start, copse_cache_exited;
/* By region: what is in them comes from there, but for what was borrowed. */
hidden extern struct recycler copse_recyclers[CLASS_REGIONS];
/* How many trims were asked for. */
hidden extern u64 copse_generation;

static inline struct recycler *recycler_of(unsigned class, unsigned arena) { return &copse_recyclers[region_at(arena, class)]; }

/* Where the top of a region stands in a record: those of its own arena first. */
static inline unsigned place_of(const struct cache *c, unsigned region) { return region ^ region_at(c->arena, 0); }
/* How many places there are. */
static inline unsigned places(void) { return copse_regions.arenas > 1 ? COPSE_TOPS_ : ARENA_REGIONS; }

/* The parts of a spare's word. */
#define SPARE_COUNT ((u64)BUNDLE_BYTES - 1)
static inline struct bundle *spare_bundle(u64 word) { return (struct bundle *)(word & ~SPARE_COUNT); }

/* The bundle that is both empty and full. */
hidden extern struct bundle copse_bundle_dummy;
static inline void **dummy_top(void) { return copse_bundle_dummy.slot + BUNDLE_SLOTS; }
/* Whether a top is in a bundle of the thread's. */
static inline bool top_is_open(void **top) { return top && top != dummy_top(); }

/* ---- cache.c; the calling thread's own record ---- */

/* One slot of the class, when its top bundle is empty.  NULL: no memory. */
hidden void *copse_cache_refill_owner(struct cache *c, unsigned class);
/* Takes `p`, of that region, when the top bundle for it is full. */
hidden void copse_cache_spill_owner(struct cache *c, unsigned region, void *p);
/* Returns every slot to its pool. */
hidden void copse_cache_flush_owner(struct cache *c);
/* If a trim was asked for since, flushes. */
hidden void copse_cache_follow_owner(struct cache *c);
/* Takes the spare of another thread (or of this one) and returns its slots to the pools. */
hidden void copse_cache_take_spare(struct cache *c, unsigned class, struct cache *of);
/* Empties the recycler of a region into the pools. */
hidden void copse_cache_drain(struct cache *c, unsigned region);

/* ---- cache_direct.c; without a cache ---- */

/* One slot of the region's class from its pool, from another arena's where that has none, or of a larger class.  NULL: no memory. */
hidden void *copse_direct_alloc(unsigned region);
/* The same, up to `n` slots into out[0..n), the first choice last; `held` as for the pool.  Returns how many. */
hidden unsigned copse_direct_take(unsigned region, unsigned n, void *out[], u64 *held);
/* Returns slots of any classes to their pools; `held` likewise. */
hidden void copse_direct_put(unsigned n, void *const slots[], u64 *held);
/* One slot of a slotwise class; *zero: its bytes are zero. */
hidden void *copse_direct_alloc_zero(unsigned region, bool *zero);

/* ---- cache_count.c ---- */

/* Slots in the bundles of all records and recyclers, by the class that each one's address is in.  Exact where the threads are at
 * rest. */
hidden void copse_cache_count_all(u64 count[CLASSES]);
/* Of one class. */
hidden u64 copse_cache_count(unsigned class);

/* ---- registry.c ---- */

/* A record for the calling thread: one that is free, or a new one.  NULL: no memory. */
hidden struct cache *copse_cache_attach(void);
/* Flushes it and leaves it to the next thread. */
hidden void copse_cache_detach_owner(struct cache *c);
/* The first record; the others follow by `next`. */
hidden struct cache *copse_cache_first(void);
/* Whether there is a slot in any top or spare. */
hidden bool copse_cache_holds(const struct cache *c);
/* In a forked child: what the threads that do not exist here had cached goes back to the pools; what they had in their
 * hands is counted as lost. */
hidden void copse_cache_fork_child(struct cache *mine);

static inline struct cache *cache_of_hot(struct copse_hot_ *hot) { return (struct cache *)(void *)((char *)hot - HOT_OFFSET); }
static inline bool hot_is_dummy(const struct copse_hot_ *hot) {
  return hot == &copse_cache_start.hot || hot == &copse_cache_exited.hot;
}

#endif
