/* SPDX-License-Identifier: MIT */
/*
 * The equation of every pool, in slots: live + quarantined + cached + free + detached + uncommitted + lost = 64 x blocks.
 * `live` is the test's own count; the others are counted by the library one by one, none derived from another.
 */
#ifndef COPSE_TESTS_BALANCE_H
#define COPSE_TESTS_BALANCE_H

#include "cache.h"
#include "copse.h"
#include "pool.h"
#include "process.h"
#include "span.h"
#include "check.h"
#include "start.h"

/* Live slots of each class, as a test counts them by the addresses it holds: an object may be in a larger class. */
struct live {
  uint64_t slots[COPSE_CLASSES];
};

static inline void live_add(struct live *live, const void *p) {
  if (region_of(p) < region_spans()) live->slots[region_class(region_of(p))]++;
}

static inline uint64_t slots_found(const struct copse_class_stats *c) {
  return c->quarantined + c->cached + c->free + c->detached + c->uncommitted + c->lost;
}

/* Checks every pool; the threads are at rest.  Returns how many slots there are. */
static inline uint64_t balance(const struct live *live) {
  static struct copse_stats stats;
  uint64_t slots = 0;
  if (!copse_started()) return 0;
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    if (live->slots[class] + slots_found(c) != 64 * c->blocks) {
      fprintf(stderr, "class %u: live %llu + quarantined %llu + cached %llu + free %llu + detached %llu + uncommitted %llu + lost %llu, of 64 x %llu\n",
              class, (unsigned long long)live->slots[class], (unsigned long long)c->quarantined, (unsigned long long)c->cached, (unsigned long long)c->free,
              (unsigned long long)c->detached, (unsigned long long)c->uncommitted, (unsigned long long)c->lost,
              (unsigned long long)c->blocks);
      CHECK(!"the pool balances");
    }
    slots += 64 * c->blocks;
  }
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) CHECK(copse_pool_valid(p));
  CHECK(copse_span_valid());
  return slots;
}

/* The same where nothing is live. */
static inline uint64_t balance_empty(void) {
  static const struct live none;
  return balance(&none);
}

#endif
