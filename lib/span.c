/* SPDX-License-Identifier: MIT */
/* What the rest of copse calls, resizing aside. */
#include "span_state.h"
#include "atomic.h"
#include "check.h"
#include "region.h"
#include "span_run.h"
#include "vm.h"
#include <string.h>

#define S copse_span_state

/* Zeroing: from here on cheaper by giving the pages back than by writing. */
#define ZERO_BY_DECOMMIT ((u64)4 << 20)

struct span_counters copse_span_counters;
struct lock copse_span_lock = LOCK_INITIALIZER(RANK_SPAN);
struct span_state copse_span_state;

bool copse_span_start(void) {
  u64 granules = region_spans_size() / GRANULE, words = (granules + 63) / 64, page = copse_vm_facts.page;
  u64 *table = copse_region_own(round_up(granules * sizeof *table, page), page);
  if (!table) return false;
  u64 frontier = min_u64(granules, SPAN_TABLE_STEP);
  if (!copse_vm_access(table, frontier * sizeof *table)) return false;
  add_relaxed(&copse_region_own_bytes, frontier * sizeof *table);
  u64 *bits = copse_region_own_committed(7 * words * sizeof *bits, APART);
  if (!bits) return false;
  copse_lock_init(&copse_span_lock, RANK_SPAN);
  S = (struct span_state){
    .base = region_base(region_spans()),
    .granules = granules,
    .table = table,
    .frontier = frontier,
    .used = bits,
    .flight = bits + words,
    .committed = bits + 2 * words,
    .dirty = bits + 3 * words,
    .foreign = bits + 4 * words,
    .pinned = bits + 5 * words,
    .advised = bits + 6 * words,
  };
  return true;
}

u64 copse_span_index(const void *p) {
  u64 offset = (uptr)p - (uptr)S.base;
  /* acquire: pairs with the release in reach_table; the entries below it may be read.  Before start it is 0. */
  if (offset & (GRANULE - 1) || offset / GRANULE >= load_acquire(&S.frontier)) return RUN_NONE;
  return offset / GRANULE;
}

u64 copse_span_size(const void *p) {
  u64 at = copse_span_index(p);
  /* relaxed: whoever may ask about this span got its address from whoever published it. */
  return at == RUN_NONE ? 0 : load_relaxed(&S.table[at]);
}

static void publish_locked(u64 first, u64 length) {
  /* relaxed: as above; and the lock orders it for all who change it. */
  store_relaxed(&S.table[first], length);
  add_relaxed(&copse_span_counters.spans, (u64)1);
  add_relaxed(&copse_span_counters.bytes, length);
}

static void *clear(u64 first, u64 length, bool pinned) {
  char *p = span_address(first);
  if (pinned || length < ZERO_BY_DECOMMIT || copse_vm_decommit(p, length) != length) memset(p, 0, length);
  return p;
}

/* From the cache.  NULL: nothing there suits. */
static void *take_cached(u64 length, u64 alignment, bool zero) {
  copse_lock_acquire(&copse_span_lock);
  u64 first = copse_span_cache_take_locked(length, alignment, &length);
  bool found = first != RUN_NONE, pinned = false;
  if (found) {
    publish_locked(first, length);
    pinned = copse_span_pinned_locked(first, span_granules(length));
  }
  copse_lock_release(&copse_span_lock);
  if (!found) return NULL;
  return zero ? clear(first, length, pinned) : span_address(first);
}

enum outcome { TAKEN, NO_ROOM, NO_MEMORY };

/* From free granules. */
static enum outcome take_free(u64 length, u64 alignment, bool zero, void **p) {
  struct span_claim claim;
  u64 first = RUN_NONE;
  copse_lock_acquire(&copse_span_lock);
  /* Charged under the lock, so that a forked child knows what was charged for runs in flight. */
  if (copse_vm_charge(length)) {
    first = copse_span_find_locked(span_granules(length), alignment, 0);
    if (first == RUN_NONE) copse_vm_uncharge(length);
  }
  if (first != RUN_NONE) {
    copse_span_claim_locked(&claim, first, span_granules(length), length);
    copse_span_plan_advice_locked(&claim, first, length);
    copse_span_plan_explicit_locked(&claim, length);
  }
  copse_lock_release(&copse_span_lock);
  if (first == RUN_NONE) return NO_ROOM;
  bool committed = copse_span_commit(&claim), pinned = false;
  copse_lock_acquire(&copse_span_lock);
  if (committed) {
    copse_span_publish_locked(&claim);
    publish_locked(first, length);
    pinned = copse_span_pinned_locked(first, span_granules(length));
  } else {
    copse_span_cancel_locked(&claim, false);
  }
  copse_lock_release(&copse_span_lock);
  if (!committed) return NO_MEMORY;
  *p = zero && claim.dirty ? clear(first, length, pinned) : span_address(first);
  return TAKEN;
}

void *copse_span_alloc(u64 size, u64 alignment, bool zero) {
  if (size == 0 || size > S.granules * GRANULE) return NULL;
  u64 length = round_up(size, copse_vm_facts.page);
  alignment = max_u64(alignment, GRANULE);
  void *p = take_cached(length, alignment, zero);
  if (p) return p;
  enum outcome outcome = take_free(length, alignment, zero, &p);
  if (outcome == TAKEN) return p;
  /* What the cache holds may be all that is missing, or the access to granules that nobody has. */
  copse_span_reclaim(outcome == NO_MEMORY);
  return take_free(length, alignment, zero, &p) == TAKEN ? p : NULL;
}

bool copse_span_free_counted(void *p, u64 *bytes) {
  u64 at = copse_span_index(p);
  if (at == RUN_NONE || !load_relaxed(&S.table[at])) return false;
  struct span_gone_list list;
  list.count = 0;
  copse_lock_acquire(&copse_span_lock);
  /* Of two threads that free it, one finds 0. */
  u64 length = exchange_acquire(&S.table[at], (u64)0);
  if (length) {
    sub_relaxed(&copse_span_counters.spans, (u64)1);
    sub_relaxed(&copse_span_counters.bytes, length);
    copse_span_cache_put_locked(at, length, &list);
  }
  copse_lock_release(&copse_span_lock);
  *bytes += copse_span_settle(&list);
  return length != 0;
}

bool copse_span_free(void *p) {
  u64 bytes = 0;
  return copse_span_free_counted(p, &bytes);
}

u64 copse_span_trim(void) { return S.granules ? copse_span_reclaim(false) : 0; }

void copse_span_shrink(void) {
  if (S.granules) copse_span_reclaim(true);
}

void copse_span_fork_child(void) {
  u64 words = (S.granules + 63) / 64;
  for (u64 i = 0; i < words; i++) {
    S.used[i] &= ~S.flight[i];
    S.flight[i] = 0;
  }
  S.hint = 0; /* walks over what is used at the next claim */
  S.refused = true; /* and what was in flight may have pages */
  copse_vm_uncharge(S.flight_bytes);
  S.flight_bytes = 0;
}
