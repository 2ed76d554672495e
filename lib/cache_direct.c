/* SPDX-License-Identifier: MIT */
/* Slots straight from and to the pools, routed home by their addresses. */
#include "cache.h"
#include "check.h"
#include "pool.h"

/*
 * A class whose region is full borrows from a larger one whose size is a power of two, for that is as aligned as any class
 * below it.  A slot finds its way home by its address.
 */
static bool may_borrow(unsigned from) { return is_power_of_two(class_size(from)); }

/* One slot from the other arenas, in an order of each one's own, so that they do not all come down on the first. */
static bool take_elsewhere(unsigned region, void *out[], unsigned *taken, u64 *held) {
  unsigned arenas = copse_pools_arenas();
  for (unsigned i = 1; i < arenas; i++) {
    unsigned arena = (region_arena(region) + i) % arenas;
    if (copse_pool_take_held(&copse_pools[region_at(arena, region_class(region))], 1, out, taken, held) == POOL_TAKEN) return true;
  }
  return false;
}

unsigned copse_direct_take(unsigned region, unsigned n, void *out[], u64 *held) {
  unsigned taken = 0, class = region_class(region);
  for (unsigned from = class; from < CLASSES; from++, region++) {
    if (from != class && !may_borrow(from)) continue;
    if (from != class) n = 1;
    enum pool_outcome outcome = copse_pool_take_held(&copse_pools[region], n, out, &taken, held);
    /* Its region is full, or it can have no more memory: others may have room, or free slots that need none. */
    if (outcome == POOL_TAKEN || take_elsewhere(region, out, &taken, held)) return taken;
    if (outcome == POOL_REFUSED) return 0;
  }
  return 0;
}

void *copse_direct_alloc(unsigned region) {
  void *p;
  return copse_direct_take(region, 1, &p, NULL) ? p : NULL;
}

void *copse_direct_alloc_zero(unsigned region, bool *zero) {
  void *p;
  enum pool_outcome outcome = copse_pool_take_one(&copse_pools[region], &p, zero);
  if (outcome == POOL_TAKEN) return p;
  *zero = false;
  return outcome == POOL_EXHAUSTED ? copse_direct_alloc(region) : NULL;
}

/* Whether the slots are in regions of their own: bases are aligned, so that the bits above an offset tell. */
static bool regions_differ(unsigned n, void *const slots[]) {
  u64 apart = 0;
  for (unsigned i = 1; i < n; i++) apart |= (uptr)slots[i] ^ (uptr)slots[0];
  return apart >> copse_regions.bits != 0;
}

void copse_direct_put(unsigned n, void *const slots[], u64 *held) {
  /* From the end, so that what is left is always the first of them. */
  while (n) {
    u64 region = region_of(slots[n - 1]);
    unsigned to = n;
    must(region < region_spans() && region_class(region) < CLASSES);
    /* All of them, but where a class has borrowed. */
    if (likely(!regions_differ(n, slots))) {
      n = 0;
    } else {
      while (region_of(slots[n - 1]) == region) n--;
    }
    copse_pool_put_held(&copse_pools[region], to - n, slots + n, held);
  }
}
