/* SPDX-License-Identifier: MIT */
/*
 * A snapshot of copse_stats added up over the classes, for malloc_info.c and malloc_stats.c.  Pure: no state.
 */
#ifndef COPSE_MALLOC_SUMMARY_H
#define COPSE_MALLOC_SUMMARY_H

#include "base.h"
#include "copse.h"

struct summary {
  u64 live_slots, live_bytes;     /* in the program's hands, or lost in a fork */
  u64 free_slots, free_bytes;     /* free in their block, or cached */
  u64 cached_slots, cached_bytes; /* of the free ones: in bundles */
  u64 resident_free_bytes;        /* of the free ones: those in a block and with pages */
};

/* The counters are read while other threads run, so their sum may be off by some: never below 0. */
static inline u64 class_live(const struct copse_class_stats *class) {
  u64 slots = 64 * class->blocks;
  u64 rest = class->cached + class->free + class->detached + class->uncommitted + class->quarantined;
  return slots > rest ? slots - rest : 0;
}

static inline struct summary summarise(const struct copse_stats *stats) {
  struct summary sum = {0};
  for (unsigned i = 0; i < COPSE_CLASSES; i++) {
    const struct copse_class_stats *class = &stats->classes[i];
    u64 live = class_live(class);
    u64 bare = min_u64(class->bare, class->free);
    sum.live_slots += live;
    sum.live_bytes += live * class->size;
    sum.free_slots += class->free + class->cached;
    sum.free_bytes += (class->free + class->cached) * class->size;
    sum.cached_slots += class->cached;
    sum.cached_bytes += class->cached * class->size;
    sum.resident_free_bytes += (class->free - bare) * class->size;
  }
  return sum;
}

#endif
