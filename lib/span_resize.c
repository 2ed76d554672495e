/* SPDX-License-Identifier: MIT */
/*
 * A span becomes longer or shorter: in its last granule, by the granules behind it, or by moving its pages to a larger run.
 * Meanwhile it stays published with its old length, and nobody but its owner may use or free it.
 */
#include "span_state.h"
#include "atomic.h"
#include "span_run.h"
#include "vm.h"

#define S copse_span_state

enum growth { GROWN, BLOCKED, NO_ROOM, NO_MEMORY };

struct change {
  u64 first;        /* the span: its first granule, where it is now */
  u64 old, length;  /* bytes, before and after */
  u64 had, more;    /* granules before, and to be added */
};

/* Whether the span still is what the caller takes it for. */
static bool unchanged_locked(const struct change *c) { return load_relaxed(&S.table[c->first]) == c->old; }

static void set_length_locked(const struct change *c) {
  store_relaxed(&S.table[c->first], c->length); /* relaxed: as in span.c */
  add_relaxed(&copse_span_counters.bytes, c->length - c->old);
}

static void *shrink(const struct change *c) {
  struct span_gone_list list;
  list.count = 0;
  u64 kept = span_granules(c->length), end = min_u64(c->old, kept * GRANULE), tail = end - c->length;
  copse_lock_acquire(&copse_span_lock);
  bool pinned = copse_span_pinned_locked(c->first, c->had);
  bool done = unchanged_locked(c) && (!pinned || kept == c->had);
  if (done) {
    set_length_locked(c);
    if (kept < c->had) copse_span_detach_locked(&list, c->first + kept, c->had - kept, c->old - end, false);
    S.flight_bytes += tail;
  }
  copse_lock_release(&copse_span_lock);
  if (!done) return NULL;
  copse_span_settle(&list);
  /* Refused: the pages stay, behind what is the span's; nobody counts them until it is freed. */
  if (!pinned) copse_vm_decommit(span_address(c->first) + c->length, tail);
  copse_lock_acquire(&copse_span_lock);
  S.flight_bytes -= tail;
  copse_vm_uncharge(tail);
  copse_lock_release(&copse_span_lock);
  return span_address(c->first);
}

/* Into the granules behind it, or into the rest of its last one. */
static enum growth grow_in_place(const struct change *c) {
  u64 behind = c->first + c->had;
  enum growth result = BLOCKED;
  struct span_claim claim;
  copse_lock_acquire(&copse_span_lock);
  if (unchanged_locked(c) && behind + c->more <= S.granules &&
      copse_run_next_set(S.used, behind, behind + c->more) == behind + c->more)
    result = copse_vm_charge(c->length - c->old) ? GROWN : NO_ROOM;
  if (result == GROWN && c->more) {
    copse_span_claim_locked(&claim, behind, c->more, c->length - c->old);
    copse_span_plan_advice_locked(&claim, c->first, c->length);
  } else if (result == GROWN) {
    set_length_locked(c);
  }
  copse_lock_release(&copse_span_lock);
  if (result != GROWN || !c->more) return result;
  if (!copse_span_commit(&claim)) result = NO_MEMORY;
  copse_lock_acquire(&copse_span_lock);
  if (result == GROWN) {
    copse_span_publish_locked(&claim);
    set_length_locked(c);
  } else {
    copse_span_cancel_locked(&claim, false);
  }
  copse_lock_release(&copse_span_lock);
  return result;
}

/* The pages are at claim `to` now, and zeros where they were: accessible, clean, and free from here on. */
static void change_place_locked(struct change *c, const struct span_claim *to) {
  store_relaxed(&S.table[c->first], (u64)0);
  copse_run_clear(S.dirty, c->first, c->had);
  copse_run_clear(S.used, c->first, c->had);
  S.hint = min_u64(S.hint, c->first);
  copse_run_set(S.foreign, to->first, to->count); /* until its mapping is renewed it merges with none beside it */
  c->first = to->first;
}

/* To another run.  Two claims: what its pages are moved to, and what is added behind. */
static enum growth grow_elsewhere(struct change *c) {
  struct span_claim to, added;
  enum growth result = BLOCKED;
  u64 grown = c->length - c->old, first = RUN_NONE;
  copse_lock_acquire(&copse_span_lock);
  if (unchanged_locked(c) && !copse_span_pinned_locked(c->first, c->had)) {
    result = NO_ROOM;
    if (copse_vm_charge(grown)) {
      /* As much again behind it: a span that grew once is likely to grow on. */
      first = copse_span_find_locked(c->had + c->more, GRANULE, c->had + c->more);
      if (first == RUN_NONE) copse_vm_uncharge(grown);
    }
  }
  if (first != RUN_NONE) {
    copse_span_claim_locked(&to, first, c->had, 0);
    copse_span_strip_locked(first, c->had); /* the move may take its access, and counts it anew */
    copse_span_claim_locked(&added, first + c->had, c->more, grown);
    /* The advice moves with the pages. */
    copse_run_clear(S.advised, first, c->had);
    for (u64 i = 0; i < c->had; i++)
      if (run_bit(S.advised, c->first + i)) copse_run_set(S.advised, first + i, 1);
    copse_span_plan_advice_locked(&added, first, c->length);
    added.advise = max_u64(added.advise, added.first); /* that of a granule that becomes full waits for the next growth */
  }
  copse_lock_release(&copse_span_lock);
  if (first == RUN_NONE) return result;
  bool committed = copse_span_commit(&added);
  bool moved = committed && copse_vm_move(span_address(c->first), c->had * GRANULE, span_address(first));
  if (!moved) to.torn = !copse_span_renounce(first, c->had, 0);
  copse_lock_acquire(&copse_span_lock);
  if (moved) {
    copse_span_publish_locked(&to);
    copse_span_publish_locked(&added);
    change_place_locked(c, &to);
    set_length_locked(c);
  } else {
    copse_run_clear(S.advised, first, c->had);
    copse_span_cancel_locked(&added, committed);
    copse_span_cancel_locked(&to, false);
  }
  copse_lock_release(&copse_span_lock);
  return moved ? GROWN : NO_MEMORY;
}

static enum growth grow(struct change *c) {
  enum growth result = grow_in_place(c);
  return result == BLOCKED ? grow_elsewhere(c) : result;
}

void *copse_span_resize(void *p, u64 size) {
  u64 first = copse_span_index(p);
  if (first == RUN_NONE || size == 0 || size > S.granules * GRANULE) return NULL;
  struct change c = {.first = first, .old = load_relaxed(&S.table[first]), .length = round_up(size, copse_vm_facts.page)};
  if (!c.old) return NULL;
  if (c.length == c.old) return p;
  c.had = span_granules(c.old);
  if (c.length < c.old) return shrink(&c);
  c.more = span_granules(c.length) - c.had;
  enum growth result = grow(&c);
  if (result == NO_ROOM || result == NO_MEMORY) {
    copse_span_reclaim(result == NO_MEMORY);
    result = grow(&c);
  }
  return result == GROWN ? span_address(c.first) : NULL;
}
