/* SPDX-License-Identifier: MIT */
/*
 * Counting what lies in bundles, of all threads and all recyclers: each slot to the class that its address is in, whatever
 * bundle it lies in, for one that was borrowed or made smaller in place is freed to another's.
 * Threads go on meanwhile: whatever is read of a bundle may be old, and is only a number to be counted.
 */
#include "cache.h"
#include "region.h"

static void count_slots(void **slot, u64 n, u64 count[CLASSES]) {
  for (u64 i = 0; i < n; i++) {
    /* relaxed: as above; visible by whatever was read with acquire to find the bundle. */
    u64 region = region_of(load_relaxed(&slot[i]));
    if (region < region_spans() && region_class(region) < CLASSES) count[region_class(region)]++;
  }
}

/* `n` slots of a bundle, but none behind its end: what is read of where it begins may be of a later life than `n` is. */
static void count_bundle(const struct bundle *b, u64 n, u64 count[CLASSES]) {
  void **bottom = bundle_bottom(b);
  count_slots(bottom, min_u64(n, bundle_depth_from(b, bottom)), count);
}

static void count_recycler(const struct recycler *r, u64 count[CLASSES]) {
  /* acquire: pairs with the release of the push of the top bundle: its slots and `next` are visible, and through it those of
   * the bundles below. */
  u64 head = load_acquire(&r->head.low);
  struct bundle *b = (struct bundle *)(head & ~RECYCLER_COUNT);
  for (u64 i = head & RECYCLER_COUNT; i && b; i--) {
    count_bundle(b, BUNDLE_SLOTS, count);
    b = load_relaxed(&b->next);
  }
}

void copse_cache_count_all(u64 count[CLASSES]) {
  for (unsigned class = 0; class < CLASSES; class++) count[class] = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next) {
    for (unsigned place = 0; place < places(); place++) {
      /* acquire: pairs with the owner's release: the bundle's bottom and slots are visible. */
      void **top = load_acquire(&c->hot.top[place]);
      if (!top_is_open(top)) continue;
      void **bottom = bundle_bottom(bundle_of(top));
      if (bottom < top) count_slots(bottom, (u64)(top - bottom), count);
    }
    for (unsigned class = 0; class < CLASSES; class++) {
      /* acquire: pairs with the owner's exchange, likewise. */
      u64 spare = load_acquire(&c->spare[class]);
      if (spare & SPARE_COUNT) count_bundle(spare_bundle(spare), spare & SPARE_COUNT, count);
    }
  }
  for (unsigned arena = 0; arena < copse_regions.arenas; arena++)
    for (unsigned class = 0; class < CLASSES; class++) count_recycler(recycler_of(class, arena), count);
}

u64 copse_cache_count(unsigned class) {
  u64 count[CLASSES];
  copse_cache_count_all(count);
  return count[class];
}
