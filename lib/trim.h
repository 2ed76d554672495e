/* SPDX-License-Identifier: MIT */
/* Giving memory back across all pools, caches, recyclers and spans.  Any thread; several at once help each other. */
#ifndef COPSE_TRIM_H
#define COPSE_TRIM_H

#include "cache.h"
#include "vm.h"

/* As copse_trim, by a thread whose record is `mine`, or NULL where it has none. */
hidden u64 copse_trim_all(struct cache *mine);
/*
 * Before memory is said to be out, by a thread whose record is `mine`, or NULL: returns to the pools what lies in its cache, in the
 * spares of all threads and in the recyclers, and decommits all that is free, whatever the cooldown.
 */
hidden void copse_trim_reclaim(struct cache *mine);
/*
 * The last that can be done, after that: takes back the access of what is bare at the end of each pool, and of idle granules; for
 * the system may count what is accessible.
 */
hidden void copse_trim_shrink(void);
/*
 * After memory was taken, by a thread whose record is `mine`, or NULL: at a new peak of memory in use, "peak_trim" per cent above the
 * last, a trim is made of what is free elsewhere, whatever the cooldown.  So a program that frees here and allocates there does not
 * hold both; and one that goes up and down below its peak is left alone: there are a few dozen of these on the way to any size.
 */
hidden void copse_trim_at_peak(struct cache *mine);
static inline void copse_trim_peak(struct cache *mine) {
  /* relaxed: two figures. */
  if (unlikely(load_relaxed(&copse_vm_counters.in_use) > load_relaxed(&copse_vm_counters.mark))) copse_trim_at_peak(mine);
}
/* As copse_trim_pending. */
hidden u64 copse_trim_behind(void);

#endif
