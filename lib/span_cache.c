/* SPDX-License-Identifier: MIT */
/*
 * Freed spans that keep their pages, oldest first, at most "span_cache" bytes and SPAN_CACHE_ENTRIES of them.
 * A cached span stays charged, and its bytes are whatever its owner left there.
 */
#include "span_state.h"
#include "atomic.h"
#include "span_run.h"
#include "tunables.h"
#include <string.h>

#define S copse_span_state

static struct span_cached remove_at(u64 at) {
  struct span_cached taken = S.cache[at];
  S.cache_count--;
  memmove(&S.cache[at], &S.cache[at + 1], (S.cache_count - at) * sizeof S.cache[0]);
  sub_relaxed(&copse_span_counters.cached, taken.length);
  return taken;
}

u64 copse_span_cache_take_locked(u64 length, u64 alignment, u64 *found) {
  u64 best = RUN_NONE;
  /* The closest in size; of equals the newest, which is the likeliest to lie in the processor's cache. */
  for (u64 at = S.cache_count; at-- > 0;) {
    const struct span_cached *entry = &S.cache[at];
    if (entry->length < length || entry->length - length > length / 4) continue;
    if ((uptr)span_address(entry->first) & (alignment - 1)) continue;
    if (best == RUN_NONE || entry->length < S.cache[best].length) best = at;
  }
  if (best == RUN_NONE) return RUN_NONE;
  struct span_cached taken = remove_at(best);
  *found = taken.length;
  return taken.first;
}

static void drop_oldest(struct span_gone_list *list, bool access) {
  struct span_cached oldest = remove_at(0);
  copse_span_detach_locked(list, oldest.first, span_granules(oldest.length), oldest.length, access);
}

void copse_span_cache_put_locked(u64 first, u64 length, struct span_gone_list *list) {
  u64 room = load_relaxed(&copse_tunables.span_cache);
  if (length > room) {
    copse_span_detach_locked(list, first, span_granules(length), length, false);
  } else {
    if (S.cache_count == SPAN_CACHE_ENTRIES) drop_oldest(list, false);
    S.cache[S.cache_count++] = (struct span_cached){first, length};
    add_relaxed(&copse_span_counters.cached, length);
  }
  /* relaxed: written under this lock only.  More than the newest goes where the parameter was lowered. */
  while (S.cache_count && load_relaxed(&copse_span_counters.cached) > room) drop_oldest(list, false);
}

void copse_span_cache_empty_locked(struct span_gone_list *list, bool access) {
  while (S.cache_count) drop_oldest(list, access);
}
