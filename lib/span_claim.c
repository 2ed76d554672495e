/* SPDX-License-Identifier: MIT */
/* Free granules become a claim, the claim gets memory, and then becomes a span, or free again. */
#include "span_state.h"
#include "atomic.h"
#include "check.h"
#include "region.h"
#include "side.h"
#include "span_run.h"
#include "tunables.h"
#include "vm.h"

#define S copse_span_state

u64 copse_span_find_locked(u64 count, u64 alignment, u64 room) {
  u64 unit = max_u64(alignment / GRANULE, 1), phase = (uptr)S.base / GRANULE;
  u64 first;
  while ((first = copse_run_find(S.used, S.hint, S.granules, count + room, unit, phase)) == RUN_NONE && room) room /= 2;
  return first;
}

bool copse_span_pinned_locked(u64 first, u64 count) {
  return copse_run_next_set(S.pinned, first, first + count) < first + count;
}

void copse_span_strip_locked(u64 first, u64 count) {
  sub_relaxed(&copse_vm_counters.committed, copse_run_count(S.committed, first, count) * GRANULE);
  copse_run_clear(S.committed, first, count);
}

static void lose_access_locked(struct span_claim *claim) {
  copse_span_strip_locked(claim->first, claim->count);
  claim->committed = 0;
  claim->bare = claim->first;
}

static bool torn_locked(u64 first, u64 end) {
  while ((first = copse_run_next_set(S.foreign, first, end)) < end && run_bit(S.committed, first)) first++;
  return first < end;
}

void copse_span_claim_locked(struct span_claim *claim, u64 first, u64 count, u64 charged) {
  u64 end = first + count;
  *claim = (struct span_claim){
    .first = first,
    .count = count,
    .charged = charged,
    .bare = copse_run_next_clear(S.committed, first, end),
    .committed = copse_run_count(S.committed, first, count),
    .advise = end,
    .advise_end = end,
    .small = end,
    .dirty = copse_run_next_set(S.dirty, first, end) < end,
  };
  must(copse_run_count(S.used, first, count) == 0);
  copse_run_set(S.used, first, count);
  copse_run_set(S.flight, first, count);
  copse_run_set(S.dirty, first, count);
  if (first == S.hint) S.hint = end;
  S.flight_bytes += charged;
  if (!torn_locked(first, end)) return;
  claim->renew = true;
  lose_access_locked(claim);
  copse_run_clear(S.advised, first, count);
}

void copse_span_plan_advice_locked(struct span_claim *claim, u64 start, u64 length) {
  if (!copse_vm_facts.huge) return;
  u64 end = claim->first + claim->count, want = 0;
  if (load_relaxed(&copse_tunables.huge) && length >= GRANULE)
    want = length >= SPAN_HUGE_TAIL ? span_granules(length) : length / GRANULE;
  claim->advise_end = start + want;
  claim->advise = copse_run_next_clear(S.advised, start, start + want);
  if (start + want >= end) return;
  if (copse_vm_facts.huge_always) {
    claim->small = max_u64(start + want, claim->first);
  } else if (run_bit(S.advised, end - 1)) {
    claim->stale = true;
    /* To renew it takes it from the counter, so it must be there. */
    if (run_bit(S.committed, end - 1)) claim->committed--;
    else add_relaxed(&copse_vm_counters.committed, GRANULE);
    claim->bare = min_u64(claim->bare, end - 1);
    copse_run_clear(S.committed, end - 1, 1);
  }
}

void copse_span_plan_explicit_locked(struct span_claim *claim, u64 length) {
  if (load_relaxed(&copse_tunables.huge) != 2 || length < GRANULE) return;
  /* Left over from when its mapping could not be renewed: it is such a page already. */
  if (copse_span_pinned_locked(claim->first, claim->count)) return;
  claim->explicit_wanted = length / GRANULE;
  /* Whatever has access now may lose it when huge pages are moved there. */
  lose_access_locked(claim);
  copse_run_set(S.pinned, claim->first, claim->count);
}

bool copse_span_renounce(u64 first, u64 count, u64 counted) {
  u64 uncounted = (count - counted) * GRANULE;
  add_relaxed(&copse_vm_counters.committed, uncounted);
  if (copse_vm_uncommit(span_address(first), count * GRANULE)) return true;
  sub_relaxed(&copse_vm_counters.committed, uncounted);
  return false;
}

/* Entries of the table below `end` are committed. */
static bool reach_table(u64 end) {
  u64 frontier = load_relaxed(&S.frontier);
  if (end <= frontier) return true;
  u64 reach = min_u64(round_up(end, SPAN_TABLE_STEP), S.granules);
  if (!copse_vm_access(&S.table[frontier], (reach - frontier) * sizeof S.table[0])) return false;
  copse_lock_acquire(&copse_span_lock);
  frontier = load_relaxed(&S.frontier);
  if (reach > frontier) {
    add_relaxed(&copse_region_own_bytes, (reach - frontier) * sizeof S.table[0]);
    store_release(&S.frontier, reach); /* pairs with the acquire in copse_span_index: its entries may be read */
  }
  copse_lock_release(&copse_span_lock);
  return true;
}

bool copse_span_commit(struct span_claim *claim) {
  u64 end = claim->first + claim->count;
  if (!reach_table(end) || !copse_side_commit_spans(claim->first, end)) return false;
  if (claim->renew && !copse_span_renounce(claim->first, claim->count, 0)) return false;
  /* Its bit says already that it has no access: the counter must agree either way, and where this is refused it is taken back below. */
  bool kept = claim->stale && !copse_vm_uncommit(span_address(end - 1), GRANULE);
  if (kept) sub_relaxed(&copse_vm_counters.committed, GRANULE);
  if (claim->explicit_wanted) {
    claim->pinned = copse_vm_commit_huge(span_address(claim->first), claim->explicit_wanted * GRANULE) / GRANULE;
    claim->bare = claim->first + claim->pinned;
  }
  if (claim->bare < end) {
    /* Where it is refused, some may have access all the same: of several mappings the first, where there is some behind them. */
    bool partly = kept || claim->committed > claim->bare - claim->first;
    if (!copse_vm_commit(span_address(claim->bare), (end - claim->bare) * GRANULE)) {
      if (partly) {
        copse_lock_acquire(&copse_span_lock);
        lose_access_locked(claim);
        copse_run_clear(S.advised, claim->first, claim->count);
        copse_lock_release(&copse_span_lock);
      }
      if (partly || claim->explicit_wanted) {
        claim->torn = !copse_span_renounce(claim->first, claim->count, claim->pinned);
        if (!claim->torn) claim->pinned = 0;
      }
      return false;
    }
    /* Counted twice: what had access behind the first that had none. */
    u64 twice = claim->committed - (claim->bare - claim->first - claim->pinned);
    sub_relaxed(&copse_vm_counters.committed, twice * GRANULE);
  }
  u64 fresh = claim->explicit_wanted ? claim->first : claim->bare;
  if (fresh < end) copse_annotate_fresh(span_address(fresh), (end - fresh) * GRANULE);
  u64 advise = claim->pinned ? max_u64(claim->advise, claim->first + claim->pinned) : claim->advise;
  if (advise < claim->advise_end)
    copse_vm_advise_huge(span_address(advise), (claim->advise_end - advise) * GRANULE);
  if (claim->small < end) copse_vm_advise_small(span_address(claim->small), (end - claim->small) * GRANULE);
  return true;
}

static void land_locked(const struct span_claim *claim, bool committed) {
  u64 end = claim->first + claim->count;
  copse_run_clear(S.flight, claim->first, claim->count);
  if (claim->explicit_wanted) copse_run_clear(S.pinned, claim->first, claim->count);
  copse_run_set(S.pinned, claim->first, claim->pinned);
  must(S.flight_bytes >= claim->charged);
  S.flight_bytes -= claim->charged;
  /* Where it was refused, pinned granules are those that could not be taken away again. */
  copse_run_set(S.committed, claim->first, committed ? claim->count : claim->pinned);
  if (claim->torn) copse_run_set(S.foreign, claim->first, claim->count);
  if (!committed) return;
  if (claim->renew) copse_run_clear(S.foreign, claim->first, claim->count);
  if (claim->advise < claim->advise_end) copse_run_set(S.advised, claim->advise, claim->advise_end - claim->advise);
  if (claim->small < end) copse_run_clear(S.advised, claim->small, end - claim->small);
  if (claim->stale) copse_run_clear(S.advised, end - 1, 1);
}

void copse_span_publish_locked(const struct span_claim *claim) { land_locked(claim, true); }

void copse_span_cancel_locked(const struct span_claim *claim, bool committed) {
  land_locked(claim, committed);
  if (!claim->dirty) copse_run_clear(S.dirty, claim->first, claim->count);
  else S.refused = true;
  copse_run_clear(S.used, claim->first, claim->count);
  S.hint = min_u64(S.hint, claim->first);
  copse_vm_uncharge(claim->charged);
}
