/* SPDX-License-Identifier: MIT */
#include "report_place.h"
#include "atomic.h"
#include "check.h"
#include "pool.h"
#include "region.h"
#include "span.h"

#if INSTRUMENTED

#define NOWHERE ((struct place){0, 0, NULL, 0, NULL})

enum side_state copse_place_state(const struct place *place) {
  return (enum side_state)load_acquire(&place->side->state);
}

static char *span_start(u64 granule) { return region_base(region_spans()) + granule * GRANULE; }
static u64 granules_of(u64 bytes) { return (bytes + GRANULE - 1) / GRANULE; }

struct place copse_place_at(unsigned class, u64 slot) {
  struct place place = {.class = class, .slot = slot, .side = copse_side_at(class, slot)};
  if (class < CLASS_SPANS) {
    place.start = pool_address(&copse_pools[class], slot);
    place.room = copse_pools[class].size;
  } else {
    place.start = span_start(slot);
    place.room = copse_span_size(place.start);
    /* Freed for good: what it had. */
    if (!place.room) place.room = granules_of(place.side->size) * GRANULE;
  }
  return place;
}

static struct place in_pool(unsigned class, const void *p) {
  const struct pool *pool = &copse_pools[class];
  if ((const char *)p < pool->start) return NOWHERE;
  u64 slot = (u64)((const char *)p - pool->start) / pool->size;
  return slot < pool->slots_max && copse_side_known(class, slot) ? copse_place_at(class, slot) : NOWHERE;
}

/* The span that exists around a granule; else the latest that did, if its record was not used since. */
static struct place in_spans(const void *p) {
  u64 at = ((uptr)p - (uptr)region_base(region_spans())) / GRANULE;
  for (u64 first = at + 1; first-- > 0;) {
    u64 length = copse_span_size(span_start(first));
    if (!length) continue;
    if (first + granules_of(length) <= at || !copse_side_known(CLASS_SPANS, first)) break;
    return copse_place_at(CLASS_SPANS, first);
  }
  for (u64 first = at + 1; first-- > 0 && copse_side_known(CLASS_SPANS, first);) {
    struct place place = copse_place_at(CLASS_SPANS, first);
    if (copse_place_state(&place) == SIDE_NEVER) continue;
    return first + granules_of(place.room) > at ? place : NOWHERE;
  }
  return NOWHERE;
}

struct place copse_place_of(const void *p) {
  u64 region = region_of(p);
  if (!copse_regions.base) return NOWHERE;
  if (region < region_spans()) return in_pool((unsigned)region, p);
  return region < region_own() ? in_spans(p) : NOWHERE;
}

u64 copse_place_next(unsigned class, u64 from) {
  /* relaxed: a bound; records below it may still be unknown. */
  u64 end = class < CLASS_SPANS ? load_relaxed(&copse_pools[class].frontier) : region_spans_size() / GRANULE;
  const u64 step = REACH_STEP / sizeof(struct side);
  while (from < end && !copse_side_known(class, from)) from = round_up(from + 1, step);
  return from < end ? from : ~(u64)0;
}

#else
typedef int copse_report_place_is_empty;
#endif
