/* SPDX-License-Identifier: MIT */
/* The invariants of span_state.h, asserted from the ground up: bitmaps, table, cache and counters are counted apart. */
#include "span_state.h"
#include "atomic.h"
#include "span_run.h"
#include "vm.h"

#define S copse_span_state

/* Whether a span or a cached one may be there: granules in use, not in flight, accessible, and no other span starts within. */
static bool run_valid(u64 first, u64 length, bool live) {
  u64 count = span_granules(length);
  if (length == 0 || length % copse_vm_facts.page || first + count > load_relaxed(&S.frontier)) return false;
  for (u64 i = first; i < first + count; i++)
    if ((live ? i > first : true) && load_relaxed(&S.table[i])) return false;
  return copse_run_count(S.used, first, count) == count && copse_run_count(S.flight, first, count) == 0 &&
         copse_run_count(S.committed, first, count) == count && copse_run_count(S.dirty, first, count) == count;
}

static bool valid_locked(void) {
  u64 spans = 0, bytes = 0, cached = 0, taken = 0, frontier = load_relaxed(&S.frontier);
  for (u64 i = 0; i < frontier; i++) {
    u64 length = load_relaxed(&S.table[i]);
    if (!length) continue;
    if (!run_valid(i, length, true)) return false;
    spans++;
    bytes += length;
    taken += span_granules(length);
  }
  if (S.cache_count > SPAN_CACHE_ENTRIES) return false;
  for (u64 i = 0; i < S.cache_count; i++) {
    if (!run_valid(S.cache[i].first, S.cache[i].length, false)) return false;
    for (u64 j = 0; j < i; j++)
      if (S.cache[i].first < S.cache[j].first + span_granules(S.cache[j].length) &&
          S.cache[j].first < S.cache[i].first + span_granules(S.cache[i].length))
        return false;
    cached += S.cache[i].length;
    taken += span_granules(S.cache[i].length);
  }
  u64 words = (S.granules + 63) / 64;
  for (u64 i = 0; i < words; i++)
    if (S.flight[i] & ~S.used[i]) return false;
  if (taken + copse_run_count(S.flight, 0, S.granules) != copse_run_count(S.used, 0, S.granules)) return false;
  if (S.hint > S.granules || copse_run_count(S.used, 0, S.hint) != S.hint) return false;
  return spans == load_relaxed(&copse_span_counters.spans) && bytes == load_relaxed(&copse_span_counters.bytes) &&
         cached == load_relaxed(&copse_span_counters.cached);
}

bool copse_span_valid(void) {
  copse_lock_acquire(&copse_span_lock);
  bool valid = valid_locked();
  copse_lock_release(&copse_span_lock);
  return valid;
}
