/* SPDX-License-Identifier: MIT */
/*
 * One size class in one arena: its region, its blocks of 64 slots, and which slots are free.
 *
 * A block's metadata is one word: bit i set = slot i is free.  A block with free slots stands in exactly one chain:
 *   PARTIAL  some of its slots are free
 *   YOUNG, OLD  all are: vacant; old ones have been since some trim with a cooldown, whose number `since` has
 *   BARE     all are, and it reads as zero: given back, or fresh.  None of its pages is in memory, but for those that came with a
 *            neighbour's in a transparent huge page: such a block is marked as changed
 * a full block, or a detached one, in none.
 *
 * In slotwise pools (slots of a page and more) memory comes and goes by the slot, and a second word a block says which
 * free slots are bare.  There YOUNG and OLD hold the blocks that have any free slot that is not bare ("warm"), BARE those
 * whose free slots are all bare, and PARTIAL is empty.  Slots that have no memory yet are 0 in both words.
 *
 * Invariant, in slots: live + quarantined + cached + free + detached + uncommitted + lost = 64 x blocks, where blocks is the frontier
 * rounded up.
 *
 * A system call is never made while the lock is held: growth claims a range, commits it, and publishes it; trim detaches
 * slots, gives their pages back, and returns them.
 */
#ifndef COPSE_POOL_H
#define COPSE_POOL_H

#include "base.h"
#include "chain.h"
#include "copse.h"
#include "lock.h"
#include "region.h"
#include "size_class.h"
#include "tunables.h"
#include "vm.h"

enum pool_chain { PARTIAL, YOUNG, OLD, BARE, CHAINS };

/* Blocks whose words are packed with the pool's first trees: small programs touch a page a pool. */
enum { POOL_DENSE = 64, POOL_FAILED = 16 };

/* The beginning of a pool's metadata; the rest is in sparse arrays. */
struct pool_first {
  u64 words[POOL_DENSE];
  u64 bare[POOL_DENSE];
  u64 changed;
  struct bit_tree trees[CHAINS];
};

struct slot_range {
  u64 from, to;
};

struct pool {
  /* Constant after start. */
  char *start;        /* slot 0 */
  u64 size, inverse;  /* slot = (offset >> shift) * inverse */
  u64 slots_max;
  unsigned class, shift, region;
  bool slotwise;
  struct pool_first *first;
  u64 *words;         /* of the blocks from POOL_DENSE on; word of block b is words[b] */
  u64 *bare;          /* slotwise pools: the same */
  u64 *changed;       /* a bit a block: a slot came free, or was refused, since the block was last given back */
  u32 *since;         /* a number a block: of the trim with a cooldown since which nothing came free in it; 0: none */
  struct chain chains[CHAINS];

  /* Under the lock. */
  struct lock lock __attribute__((aligned(APART)));
  u64 frontier;       /* slots that exist: committed, or claimed by a growth step that is in flight */
  u64 uncommitted;    /* of 64 x blocks: those never published */
  u64 detached;       /* held by trims */
  u64 lost;           /* in flight in other threads when this process was forked */
  u64 ready;          /* blocks whose sparse metadata is accessible */
  u64 step;           /* bytes of the last big growth step */
  u64 locked;         /* how often the lock was taken to take or put */
  u64 since_ready;    /* blocks whose `since` is accessible */
  u32 tick;           /* the number of the last trim with a cooldown */
  struct slot_range failed[POOL_FAILED]; /* claimed, refused by the system, to be tried first */
  unsigned fails, growing; /* growing: big steps in flight */
  struct slot_range huge; /* backed by explicit huge pages: never given back */
  bool advised;       /* some of it may get transparent huge pages */
  u64 used;           /* blocks below which each has been in use */
  u64 given, retaken; /* slots that trims at peaks gave back, and that came into use again, since it was last left alone */
  u64 patience, left_alone; /* peaks to leave it alone for, and those of them to come */
  u64 marked;         /* the first block of the huge page that was marked last, with bit 0 where all of it was, not its bare blocks
                         alone; CHAIN_NONE: none is known to be marked */
  unsigned pending;   /* blocks that trims are not through with, and ranges that growth or shrinking has in flight */
  struct slot_range late; /* addresses of the huge pages that were marked while there are such, or detached slots, and what lies between:
                             that may have come along with them behind the back of whoever has it */
} __attribute__((aligned(APART)));

/* By region. */
hidden extern struct pool copse_pools[CLASS_REGIONS];

/* Once, after copse_region_start: those of arena 0.  false: no memory. */
hidden bool copse_pools_start(void);
/*
 * Makes sure that the pools of an arena, 0 to copse_regions.arenas - 1, and of those before it are there.  Any thread; no
 * pool's lock is held.  false: no memory, or the thread forks.
 */
hidden bool copse_pools_reach(unsigned arena);
/* How many arenas have pools. */
hidden unsigned copse_pools_arenas(void);
/* Fork holds this from before the pools' locks, so that no arena comes in between.  Not where there is one arena only. */
hidden void copse_pools_lock(void);
hidden void copse_pools_unlock(void);

/* The pool after it, in the order of their locks; those that are there: for (p = copse_pools; p < pools_end(); p = pool_after(p)). */
static inline struct pool *pool_after(struct pool *p) {
  return p + (p->class == CLASSES - 1 ? ARENA_REGIONS - CLASSES + 1 : 1);
}
static inline struct pool *pools_end(void) { return copse_pools + copse_pools_arenas() * ARENA_REGIONS; }

enum pool_outcome {
  POOL_TAKEN,
  POOL_EXHAUSTED, /* its region is full: a larger class may help */
  POOL_REFUSED    /* the system, or the limit, gives no more */
};

/*
 * Takes up to `n` (1 to 64) slots: out[0..*taken), the first choice last: those of partial blocks before those of vacant
 * ones, warm before bare, then low addresses before high.
 * Never blocks on another thread's system call.
 * held: of the bundle that `out` is in, or NULL.  It is set as the slots leave their blocks, under the lock, so that there is no
 * instant at which a child of fork would find them in neither.
 */
hidden enum pool_outcome copse_pool_take_held(struct pool *p, unsigned n, void *out[], unsigned *taken, u64 *held);
static inline enum pool_outcome copse_pool_take(struct pool *p, unsigned n, void *out[], unsigned *taken) {
  return copse_pool_take_held(p, n, out, taken, NULL);
}
/* The same for one slot of a slotwise pool; *zero says whether its bytes are known to be zero. */
hidden enum pool_outcome copse_pool_take_one(struct pool *p, void **out, bool *zero);
/* Returns slots, each of which is of this pool.  held: of the bundle that they are the last in, or NULL; counted down likewise. */
hidden void copse_pool_put_held(struct pool *p, unsigned n, void *const slots[], u64 *held);
static inline void copse_pool_put(struct pool *p, unsigned n, void *const slots[]) { copse_pool_put_held(p, n, slots, NULL); }

/*
 * Gives pages back: with a cooldown of 0 of all free slots: the whole pages in vacant blocks, in runs of slots of a page and more,
 * and from TRIM_RUN_SIZE on in runs of blocks in use.
 * With a cooldown of n of those in a block to which nothing came free through the last n calls: a block that is left alone keeps
 * its pages through n calls, and call n + 1 gives them back.
 * Returns bytes.
 */
hidden u64 copse_pool_trim(struct pool *p, u64 cooldown);

/*
 * Gives back what came free, as copse_pool_trim without a cooldown does, but not what only came along with a huge page: at a peak
 * that is what is used next.  Returns bytes.
 */
hidden u64 copse_pool_trim_freed(struct pool *p);

/* Takes back the access of its bare end, for others to use.  Returns bytes. */
hidden u64 copse_pool_shrink(struct pool *p);

/* Counts by looking at each block. */
struct pool_count {
  u64 blocks, free, bare, detached, uncommitted, lost, locked;
};
hidden void copse_pool_count(struct pool *p, struct pool_count *count);
/*
 * Copies what the words say of up to `room` blocks, from number `block` on, all at one instant; `room` bounds how long the lock is
 * held.  Returns how many there were: fewer than `room` at the pool's end.
 */
hidden size_t copse_pool_look(struct pool *p, u64 block, struct copse_block *out, size_t room);
/* Whether words, chains and counters agree.  Takes the lock. */
hidden bool copse_pool_valid(struct pool *p);
#ifdef COPSE_INSTRUMENTED
/* Asserts that of one pool, the next one with each call. */
hidden void copse_pool_check_next(void);
#else
#define copse_pool_check_next() ((void)0)
#endif

/* ---- for pool*.c ---- */

static inline u64 *pool_word(struct pool *p, u64 block) {
  return likely(block < POOL_DENSE) ? &p->first->words[block] : &p->words[block];
}
static inline u64 *pool_bare(struct pool *p, u64 block) {
  return likely(block < POOL_DENSE) ? &p->first->bare[block] : &p->bare[block];
}
static inline u64 *pool_changed(struct pool *p, u64 block) {
  return likely(block < POOL_DENSE) ? &p->first->changed : &p->changed[block >> 6];
}
static inline u64 pool_slot(const struct pool *p, const void *slot) {
  return ((u64)((const char *)slot - p->start) >> p->shift) * p->inverse;
}
static inline void *pool_address(const struct pool *p, u64 slot) { return p->start + slot * p->size; }
static inline u64 pool_blocks(const struct pool *p) { return (p->frontier + 63) >> 6; }
/* Blocks whose words and trees may be read: the others are claimed, and their metadata may be on its way. */
static inline u64 pool_known(const struct pool *p) { return min_u64(pool_blocks(p), p->ready); }
static inline struct chain *pool_young(struct pool *p) { return &p->chains[YOUNG]; }
static inline struct chain *pool_old(struct pool *p) { return &p->chains[OLD]; }

/* The least number of slots, from such a number on, that ends where a page does: a slot, or a block, or several. */
static inline u64 pool_unit(const struct pool *p) {
  u64 least = p->slotwise ? 1 : 64, alignment = (u64)1 << lowest_bit(least * p->size);
  return copse_vm_facts.page > alignment ? least * (copse_vm_facts.page / alignment) : least;
}

/* Whether all slots that came free are worth noting one by one, or only when they make a block vacant. */
static inline bool pool_has_runs(const struct pool *p) { return p->size >= TRIM_RUN_SIZE; }

/* Stands a block that is in no chain where its words say; a vacant one among the young. */
hidden void copse_pool_place_locked(struct pool *p, u64 block);

/*
 * The first touch of a block may bring in a huge page, and with it memory for all that lies on it: that is marked as changed, so that
 * a trim asks for it.  Several blocks in a row are marked at once.
 * When it is taken (`all`) with what a trim has at the moment; else what is bare, for what is not waits for its cooldown.
 */
hidden void copse_pool_mark_huge_locked(struct pool *p, u64 block, bool all);

/* Has a block looked at by the next trim; with a cooldown only what is young is. */
static inline void pool_again_locked(struct pool *p, u64 block) {
  *pool_changed(p, block) |= (u64)1 << (block & 63);
  if (!chain_has(pool_old(p), block)) return;
  chain_clear(pool_old(p), block);
  chain_set(pool_young(p), block);
}

/* Whether something of a block that was on its way may have come along since. */
static inline bool pool_late(const struct pool *p, u64 block) {
  return (uptr)pool_address(p, block << 6) < p->late.to && (uptr)pool_address(p, (block + 1) << 6) > p->late.from;
}
/* To be called where something has come back: with the last of it there is nothing that this is asked of. */
static inline void pool_late_over(struct pool *p) {
  if (!p->detached && !p->pending) p->late = (struct slot_range){~(u64)0, 0};
}

/* A range of slots that a growth step has claimed. */
struct growth {
  struct slot_range range;
  u64 ready_from, ready_to; /* blocks whose metadata comes with it */
  bool big;
  bool advised; /* transparent huge pages were asked for */
};
/* false: the region is full. */
hidden bool copse_pool_claim_locked(struct pool *p, u64 need, bool small, struct growth *g);
/* Makes it accessible; no lock is held.  false: refused. */
hidden bool copse_pool_commit(struct pool *p, struct growth *g, u64 *huge_bytes);
hidden void copse_pool_publish_locked(struct pool *p, const struct growth *g, u64 huge_bytes);
hidden void copse_pool_rollback_locked(struct pool *p, const struct growth *g);

#endif
