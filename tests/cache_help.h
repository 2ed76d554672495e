/* SPDX-License-Identifier: MIT */
/* What the tests of a thread's cache share: looking at its bundles, and many objects of one class that are counted. */
#ifndef COPSE_TESTS_CACHE_HELP_H
#define COPSE_TESTS_CACHE_HELP_H

#include "balance.h"
#include "copse-inline.h"
#include "recycler.h"
#include "start.h"
#include "tunables.h"
#include "vm_faults.h"
#include "worker.h"
#include <errno.h>
#include <string.h>
#include "beneath.h"

#define MB ((size_t)1 << 20)

static inline struct cache *mine(void) { return cache_of_thread(); }
static inline void **top(unsigned class) { return mine() ? mine()->hot.top[class] : dummy_top(); }
static inline unsigned depth(unsigned class) { return top(class) == dummy_top() ? 0 : bundle_depth(bundle_of(top(class))); }
static inline unsigned in_top(unsigned class) {
  return top(class) == dummy_top() ? 0 : bundle_count(bundle_of(top(class)), top(class));
}
static inline unsigned in_spare(unsigned class) { return (unsigned)(mine()->spare[class] & (BUNDLE_BYTES - 1)); }
static inline u64 locked(unsigned class) { return load_relaxed(&copse_pools[class].locked); }
static inline unsigned limit_of(unsigned class) {
  u64 size = class_size(class);
  return (unsigned)(size <= 1024     ? copse_tunables.depth_1k
                    : size <= 8192   ? copse_tunables.depth_8k
                    : size <= 65536  ? copse_tunables.depth_64k
                                     : copse_tunables.depth_1m);
}
static inline unsigned cap_of(unsigned class) {
  u64 bytes = RECYCLER_BYTES / (limit_of(class) * class_size(class));
  return (unsigned)min_u64(copse_tunables.recycler, bytes ? bytes : 1);
}

static inline void *take(unsigned class) {
  void *p = copse_alloc(class_size(class));
  CHECK(p && region_of(p) < region_spans() && region_class(region_of(p)) == class);
  return p;
}
static inline void give(void *p) { copse_free_unsized(p); }

/* Many of one class, and the equation with them. */
struct heap {
  unsigned class;
  u64 n;
  void *p[20000];
};
static struct heap heap;

static inline void heap_take(struct heap *h, u64 n) {
  while (n--) h->p[h->n++] = take(h->class);
}
static inline void heap_give(struct heap *h, u64 n) {
  CHECK(n <= h->n);
  while (n--) give(h->p[--h->n]);
}
static inline void heap_balance(const struct heap *h) {
  struct live live = {0};
  for (u64 i = 0; i < h->n; i++) live_add(&live, h->p[i]);
  balance(&live);
}

#endif
