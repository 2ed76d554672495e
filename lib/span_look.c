/* SPDX-License-Identifier: MIT */
/* The spans, live and cached, copied some at a time for walk.c, in the order of their addresses. */
#include "span_state.h"
#include "span_run.h"

#define S copse_span_state

/* Granules that one lock hold looks at: where a span changed since the last one, they are looked at one by one. */
enum { LOOK_GRANULES = 1024 };

/* The length of the cached span that starts there; 0: none does. */
static u64 cached_at_locked(u64 granule) {
  for (u64 i = 0; i < S.cache_count; i++)
    if (S.cache[i].first == granule) return S.cache[i].length;
  return 0;
}

bool copse_span_look(u64 *at, struct copse_block *out, size_t room, size_t *n) {
  copse_lock_acquire(&copse_span_lock);
  u64 frontier = S.frontier, end = min_u64(frontier, *at + LOOK_GRANULES), granule = *at;
  *n = 0;
  while (*n < room && granule < end) {
    granule = copse_run_next_set(S.used, granule, end);
    if (granule == end) break;
    if (run_bit(S.flight, granule)) {
      granule = copse_run_next_clear(S.flight, granule, end);
      continue;
    }
    u64 live = S.table[granule], length = live ? live : cached_at_locked(granule);
    if (!length) {
      granule++; /* inside of a span that was not there when the last hold ended */
      continue;
    }
    out[(*n)++] = (struct copse_block){
      .address = span_address(granule),
      .size = length,
      .free = !live,
      .slots = 1,
      .size_class = COPSE_CLASSES,
    };
    granule += span_granules(length);
  }
  copse_lock_release(&copse_span_lock);
  *at = granule;
  return granule < frontier;
}
