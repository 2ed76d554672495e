/* SPDX-License-Identifier: MIT */
/*
 * What the tests of pools share: a shadow of a pool that knows each slot's state from the outside, and takes and puts that
 * hold the pool to it.
 */
#ifndef COPSE_TESTS_POOL_HELP_H
#define COPSE_TESTS_POOL_HELP_H

#include "core.h"

/* Live slots of one pool, in no order; and which they are. */
struct shadow {
  struct pool *pool;
  u64 live, room;
  void **slot;
  u8 *is_live; /* by slot number; grows */
  u64 known;
};

static inline void shadow_make(struct shadow *s, unsigned class) {
  *s = (struct shadow){.pool = &copse_pools[class]};
}

static inline void shadow_free(struct shadow *s) {
  free(s->slot);
  free(s->is_live);
}

static inline void shadow_add(struct shadow *s, void *p) {
  u64 slot = pool_slot(s->pool, p);
  require(slot < s->pool->slots_max && pool_address(s->pool, slot) == p);
  if (slot >= s->known) {
    u64 known = 2 * slot + 1024;
    s->is_live = realloc(s->is_live, known);
    require(s->is_live);
    memset(s->is_live + s->known, 0, known - s->known);
    s->known = known;
  }
  require(!s->is_live[slot]); /* handed out twice otherwise */
  s->is_live[slot] = 1;
  if (s->live == s->room) {
    s->room = 2 * s->room + 64;
    s->slot = realloc(s->slot, s->room * sizeof *s->slot);
    require(s->slot);
  }
  s->slot[s->live++] = p;
}

static inline void *shadow_remove(struct shadow *s, u64 at) {
  void *p = s->slot[at];
  s->slot[at] = s->slot[--s->live];
  s->is_live[pool_slot(s->pool, p)] = 0;
  return p;
}

/* Takes up to n. */
static inline enum pool_outcome shadow_take(struct shadow *s, unsigned n) {
  void *out[64];
  unsigned taken = 0;
  enum pool_outcome outcome = copse_pool_take(s->pool, n, out, &taken);
  if (outcome != POOL_TAKEN) return outcome;
  require(taken >= 1 && taken <= n);
  for (unsigned i = 0; i < taken; i++) shadow_add(s, out[i]);
  return outcome;
}

/* Puts up to 200 at random, the order as it comes. */
static inline void shadow_put(struct shadow *s, unsigned n, u64 *random) {
  void *back[200];
  if (n > s->live) n = (unsigned)s->live;
  for (unsigned i = 0; i < n; i++) back[i] = shadow_remove(s, random_below(random, s->live));
  copse_pool_put(s->pool, n, back);
}

static inline void shadow_put_all(struct shadow *s) {
  while (s->live) {
    void *p = shadow_remove(s, s->live - 1);
    copse_pool_put(s->pool, 1, &p);
  }
}

/* Puts the slots [from, to). */
static inline void shadow_put_range(struct shadow *s, u64 from, u64 to) {
  for (u64 i = 0; i < s->live;) {
    u64 slot = pool_slot(s->pool, s->slot[i]);
    if (slot < from || slot >= to) {
      i++;
      continue;
    }
    void *p = shadow_remove(s, i);
    copse_pool_put(s->pool, 1, &p);
  }
}

static inline bool shadow_whole(struct shadow *s) { return pool_balanced(s->pool, s->live, 0); }

static inline struct pool_count count_of(struct pool *p) {
  struct pool_count c;
  copse_pool_count(p, &c);
  return c;
}

/* Takes until the next take must grow, and with metadata that is not there yet. */
static inline void to_the_brink(struct shadow *s, u64 blocks) {
  while (s->live < 64 * blocks) require(shadow_take(s, (unsigned)min_u64(64, 64 * blocks - s->live)) == POOL_TAKEN);
  require(s->pool->frontier == 64 * blocks && count_of(s->pool).free == 0);
}

#endif
