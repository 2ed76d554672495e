/* SPDX-License-Identifier: MIT */
/*
 * Records change hands here.  A thread that takes LIVE away by compare-and-swap has the record, and gives it back as
 * LIVE where something is wrong, so that a misuse changes nothing.
 */
#include "guard.h"
#include "annotate.h"
#include "atomic.h"
#include "check.h"
#include "copse-inline.h"
#include "guard_bytes.h"
#include "pool.h"
#include "quarantine.h"
#include "report_place.h"
#include "resort.h"
#include "span.h"
#include "stack.h"
#include "start.h"
#include "vm.h"
#include <errno.h>
#include <string.h>

#if INSTRUMENTED

/* release: pairs with the acquires of those who find it so: the record's fields, and what was done to the slot, are
 * visible. */
static void set_state(struct side *side, enum side_state state) { store_release(&side->state, (u8)state); }

void copse_guard_enter_at(const void *caller) {
  if (unlikely(!copse_started())) {
    int saved = errno;
    (void)copse_start();
    errno = saved; /* a refused one is tried again */
  }
  copse_annotate_enter_at(caller);
}

/* ---- out ---- */

/* From the cache, or as a span, with room for a redzone. */
static void *take(u64 size, u64 alignment, bool zeroed) {
  unsigned class = copse_class_route(size + REDZONE, alignment);
  if (class != CLASS_NONE) return copse_hot_alloc_(class);
  /* A tool that watches would see the bytes cleared while nobody may touch them. */
  return copse_resort_span(size + REDZONE, alignment, zeroed && !copse_tools);
}

/* What copse.h promises where no alignment was asked for. */
static u64 promised(u64 size) { return size > 16 && size <= 4096 && is_power_of_two(size) ? size : 16; }

static struct place place_of_start(void *p) {
  unsigned region = (unsigned)region_of(p);
  if (region < region_spans()) return copse_place_at(region, pool_slot(&copse_pools[region], p));
  return copse_place_at(CLASS_SPANS, (u64)((char *)p - region_base(region_spans())) / GRANULE);
}

/* What was freed here before is to be as it was left. */
static void check_freed(const struct site *at, const struct place *place, bool zeroed) {
  if (!bytes_unwatched()) return;
  /* A span may be longer than the one that was here. */
  u64 room = place->class < CLASS_SPANS ? place->room : min_u64(place->room, place->side->size + REDZONE);
  /* relaxed: a figure; who gave pages of this slot back did so before it came here. */
  bool given_back = load_relaxed(&copse_vm_counters.decommitted) != 0;
  /* A span may have been cleared already. */
  if (zeroed && place->class == CLASS_SPANS) given_back = true;
  const char *broken = copse_guard_fill_broken(place->start, room, given_back);
  if (broken) copse_report_misuse(at, "written after free", broken, 0, broken);
}

/* The granules inside are no starts, whatever was there. */
static void forget_inner(const struct place *place) {
  u64 end = place->slot + (place->room + GRANULE - 1) / GRANULE;
  for (u64 granule = place->slot + 1; granule < end; granule++)
    set_state(copse_side_at(CLASS_SPANS, granule), SIDE_NEVER);
}

static void hand_out(const struct site *at, void *p, u64 size, u64 alignment, bool zeroed) {
  struct place place = place_of_start(p);
  struct side *side = place.side;
  /* acquire: pairs with the release of the thread that freed it: its fields are read by a report. */
  u8 state = load_acquire(&side->state);
  must(state == SIDE_NEVER || state == SIDE_FREE);
  /* Still FREE, so that a report has both stacks; the slot is in this thread's hands. */
  if (state == SIDE_FREE) check_freed(at, &place, zeroed);
  /* acquire: as above. */
  bool mine = cas_acquire(&side->state, &state, (u8)SIDE_BUSY);
  must(mine);
  if (place.class == CLASS_SPANS) forget_inner(&place);
  side->size = size;
  side->alignment = alignment ? (u8)lowest_bit(alignment) : 0;
  side->alloc_stack = copse_stack_capture(at->caller, at->frame);
  side->alloc_thread = copse_side_thread();
  side->free_stack = side->free_thread = 0;
  copse_annotate_alloc(p, size, place.room, zeroed);
  if (bytes_unwatched()) copse_guard_canary_set(p, size, place.room);
  if (zeroed && (place.class < CLASS_SPANS || copse_tools)) memset(p, 0, size);
  set_state(side, SIDE_LIVE);
}

static void *alloc(const struct site *at, u64 size, u64 alignment, bool zeroed) {
  int saved = errno;
  if (alignment && (!is_power_of_two(alignment) || alignment > COPSE_ALIGNMENT_MAX)) {
    errno = EINVAL;
    return NULL;
  }
  if (!size) size = 1;
  void *p = NULL;
  if (likely(size <= PTRDIFF_MAX)) {
    u64 wanted = max_u64(promised(size), alignment);
    p = take(size, wanted, zeroed);
    if (unlikely(!p)) {
      (void)copse_guard_flush_at(at);
      p = take(size, wanted, zeroed);
    }
  }
  if (unlikely(!p)) {
    errno = ENOMEM;
    return NULL;
  }
  hand_out(at, p, size, alignment, zeroed);
  errno = saved;
  return p;
}

void *copse_guard_alloc(const struct site *at, u64 size, u64 alignment, bool zeroed) {
  copse_guard_enter_at(at->caller);
  void *p = alloc(at, size, alignment, zeroed);
  copse_annotate_leave();
  return p;
}

/* ---- in ---- */

static const char *state_fault(enum side_state state) {
  return state == SIDE_NEVER ? "a pointer that copse never handed out" : "freed before";
}

/* Whether `p` is the start of something that was handed out once; else it is a misuse. */
static bool find_start(const struct site *at, const void *p, u64 size, struct place *place) {
  if (unlikely(!p)) {
    copse_report_misuse(at, "a NULL pointer", p, size, NULL);
    return false;
  }
  u64 region = region_of(p);
  if (likely(region < region_spans())) {
    const struct pool *pool = &copse_pools[region];
    u64 slot = pool_slot(pool, p);
    if (likely((const char *)p >= pool->start && slot < pool->slots_max && pool_address(pool, slot) == p &&
               copse_side_known((unsigned)region, slot))) {
      *place = copse_place_at((unsigned)region, slot);
      return true;
    }
  }
  *place = copse_place_of(p);
  if (place->side && place->start == p) return true;
  bool known = place->side && copse_place_state(place) != SIDE_NEVER;
  copse_report_misuse(at, known ? "not the start of an allocation" : "a pointer that copse never handed out", p, size,
                      place->side ? p : NULL);
  return false;
}

static const char *size_fault(const struct site *at, const struct side *side, u64 size) {
  return at->unsized || side->size == max_u64(size, 1) ? NULL : "not the size asked for";
}

static const char *alignment_fault(const struct side *side, u64 alignment) {
  if (alignment == GUARD_ANY) return NULL;
  /* All up to 16 are the same. */
  unsigned asked = side->alignment > 4 ? side->alignment : 4;
  if (!alignment) return asked == 4 ? NULL : "allocated with an alignment: copse_free_aligned frees it";
  if (!is_power_of_two(alignment)) return "not the alignment asked for";
  return max_u64(lowest_bit(alignment), 4) == asked ? NULL : "not the alignment asked for";
}

/* Takes LIVE away, if all is as it should be.  false: it was a misuse, and nothing changed. */
static bool take_back(const struct site *at, const void *p, u64 size, u64 alignment, struct place *place) {
  if (!find_start(at, p, size, place)) return false;
  struct side *side = place->side;
  u8 state = SIDE_LIVE;
  /* acquire: pairs with the release of the thread that allocated it: the fields are visible. */
  if (!cas_acquire(&side->state, &state, (u8)SIDE_BUSY)) {
    copse_report_misuse(at, state_fault((enum side_state)state), p, size, p);
    return false;
  }
  const char *fault = size_fault(at, side, size);
  if (!fault) fault = alignment_fault(side, alignment);
  const void *about = p;
  if (!fault && bytes_unwatched()) {
    about = copse_guard_canary_broken(p, side->size, place->room);
    if (about) {
      fault = "written beyond its end";
      /* Said once. */
      copse_guard_canary_set(place->start, side->size, place->room);
    }
  }
  if (likely(!fault)) return true;
  set_state(side, SIDE_LIVE);
  copse_report_misuse(at, fault, p, size, about);
  return false;
}

/* The oldest of a class leaves the quarantine: to the cache, or to the spans.  Returns the bytes that went back to the system. */
static u64 let_go(const struct site *at, unsigned class, u64 slot) {
  struct place place = copse_place_at(class, slot);
  if (bytes_unwatched()) {
    const char *broken = copse_guard_fill_broken(place.start, place.room, false);
    if (broken) {
      copse_report_misuse(at, "written after free", broken, 0, broken);
      copse_guard_fill(place.start, place.room); /* said once */
    }
  }
  copse_annotate_recycle(place.start, place.room);
  set_state(place.side, SIDE_FREE);
  u64 bytes = 0;
  if (class < CLASS_SPANS) {
    copse_hot_free_by_address_(place.start);
  } else {
    bool freed = copse_span_free_counted(place.start, &bytes);
    must(freed);
  }
  return bytes;
}

static void hold_back(const struct site *at, const struct place *place) {
  struct side *side = place->side;
  side->free_stack = copse_stack_capture(at->caller, at->frame);
  side->free_thread = copse_side_thread();
  if (bytes_unwatched()) copse_guard_fill(place->start, place->room);
  copse_annotate_free(place->start, side->size, place->room);
  set_state(side, SIDE_QUARANTINE);
  copse_quarantine_put(place->class, place->slot, place->room);
  u64 slot;
  while (copse_quarantine_take(place->class, false, &slot)) (void)let_go(at, place->class, slot);
}

void copse_guard_free(const struct site *at, void *p, u64 size, u64 alignment) {
  int saved = errno;
  struct place place;
  copse_guard_enter_at(at->caller);
  if (take_back(at, p, size, alignment, &place)) hold_back(at, &place);
  copse_annotate_leave();
  errno = saved;
}

static void *move(const struct site *at, void *p, u64 old_size, u64 new_size) {
  struct place place;
  if (!take_back(at, p, old_size, GUARD_ANY, &place)) return NULL;
  void *fresh = alloc(at, new_size, 0, false);
  if (!fresh) {
    set_state(place.side, SIDE_LIVE);
    return NULL;
  }
  int saved = errno;
  copse_annotate_copy(fresh, p, min_u64(place.side->size, max_u64(new_size, 1)));
  hold_back(at, &place);
  errno = saved;
  return fresh;
}

void *copse_guard_realloc(const struct site *at, void *p, u64 old_size, u64 new_size) {
  copse_guard_enter_at(at->caller);
  void *fresh = NULL;
  if (p)
    fresh = move(at, p, old_size, new_size);
  else if (old_size && !at->unsized)
    copse_report_misuse(at, "a NULL pointer", p, old_size, NULL);
  else
    fresh = alloc(at, new_size, 0, false);
  copse_annotate_leave();
  return fresh;
}

u64 copse_guard_size(const struct site *at, const void *p) {
  int saved = errno;
  struct place place;
  u64 size = 0;
  copse_guard_enter_at(at->caller);
  if (find_start(at, p, 0, &place)) {
    enum side_state state = copse_place_state(&place);
    if (state == SIDE_LIVE)
      size = place.side->size;
    else
      copse_report_misuse(at, state_fault(state), p, 0, p);
  }
  copse_annotate_leave();
  errno = saved;
  return size;
}

u64 copse_guard_flush_at(const struct site *at) {
  u64 slot, bytes = 0;
  for (unsigned class = 0; class <= CLASS_SPANS; class ++) /* What others put in meanwhile can wait. */
    for (u64 n = copse_quarantine_slots(class); n && copse_quarantine_take(class, true, &slot); n--)
      bytes += let_go(at, class, slot);
  return bytes;
}

#else
typedef int copse_guard_is_empty;
#endif
