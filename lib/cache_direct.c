/* SPDX-License-Identifier: MIT */
/* Slots straight from and to the pools, routed home by their addresses. */
#include "cache.h"
#include "check.h"
#include "pool.h"

/*
 * A class whose region is full borrows from a larger one whose size is a power of two, for that is as aligned as any class
 * below it, and so any of them may be named when the slot is freed.  It finds its way home by its address.
 */
static bool may_borrow(unsigned from) { return is_power_of_two(class_size(from)); }

unsigned copse_direct_take(unsigned class, unsigned n, void *out[], u64 *held) {
  unsigned taken = 0;
  for (unsigned from = class; from < CLASSES; from++) {
    if (from != class && !may_borrow(from)) continue;
    enum pool_outcome outcome = copse_pool_take_held(&copse_pools[from], from == class ? n : 1, out, &taken, held);
    if (outcome == POOL_TAKEN) return taken;
    if (outcome == POOL_REFUSED) return 0;
  }
  return 0;
}

void *copse_direct_alloc(unsigned class) {
  void *p;
  return copse_direct_take(class, 1, &p, NULL) ? p : NULL;
}

void *copse_direct_alloc_zero(unsigned class, bool *zero) {
  void *p;
  enum pool_outcome outcome = copse_pool_take_one(&copse_pools[class], &p, zero);
  if (outcome == POOL_TAKEN) return p;
  *zero = false;
  return outcome == POOL_EXHAUSTED ? copse_direct_alloc(class) : NULL;
}

void copse_direct_put(unsigned n, void *const slots[], u64 *held) {
  /* From the end, so that what is left is always the first of them. */
  while (n) {
    u64 class = region_of(slots[n - 1]);
    unsigned to = n;
    must(class < CLASSES);
    while (n && region_of(slots[n - 1]) == class) n--;
    copse_pool_put_held(&copse_pools[class], to - n, slots + n, held);
  }
}
