/* SPDX-License-Identifier: MIT */
#include "resort.h"
#include "span.h"
#include "start.h"
#include "trim.h"
#include <errno.h>

void *copse_resort_slot_owner(struct cache *c, unsigned class) {
  copse_trim_reclaim_owner(c);
  void *p = copse_cache_refill_owner(c, class);
  if (p) return p;
  copse_trim_shrink();
  return copse_cache_refill_owner(c, class);
}

static cold_path void *span_again(u64 size, u64 alignment, bool zero) {
  struct cache *c = copse_thread_cache();
  if (!c) return NULL;
  copse_trim_reclaim_owner(c);
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
