/* SPDX-License-Identifier: MIT */
#include "resort.h"
#include "span.h"
#include "start.h"
#include "trim.h"
#include <errno.h>

static void *slot(struct cache *c, unsigned class) {
  return c ? copse_cache_refill_owner(c, class) : copse_direct_alloc(region_at(0, class));
}

void *copse_resort_slot_owner(struct cache *c, unsigned class) {
  copse_trim_reclaim(c);
  void *p = slot(c, class);
  if (p) return p;
  copse_trim_shrink();
  return slot(c, class);
}

static cold_path void *span_again(u64 size, u64 alignment, bool zero) {
  copse_trim_reclaim(copse_thread_cache());
  void *p = copse_span_alloc(size, alignment, zero);
  if (p) return p;
  copse_trim_shrink();
  return copse_span_alloc(size, alignment, zero);
}

void *copse_resort_span(u64 size, u64 alignment, bool zero) {
  int saved = errno;
  void *p = NULL;
  if (likely(size <= PTRDIFF_MAX) && copse_start()) {
    p = copse_span_alloc(size, alignment, zero);
    if (unlikely(!p)) p = span_again(size, alignment, zero);
    if (p) copse_trim_peak(cache_of_thread());
  }
  errno = p ? saved : ENOMEM;
  return p;
}
