/* SPDX-License-Identifier: MIT */
/*
 * One list a class, and one of the spans, all under one lock: fork takes each lock of copse's, and TSan's detector of deadlocks
 * aborts where a thread holds more than 64.
 */
#include "quarantine.h"
#include "atomic.h"
#include "check.h"
#include "lock.h"
#include "region.h"
#include "side.h"
#include "size_class.h"
#include "tunables.h"

#if INSTRUMENTED

#define ROOM_UNIT ((u64)2 << 20)

static struct lock list_lock;

static struct quarantine {
  u64 oldest, newest; /* slot + 1; 0: none */
  /* Written under the lock, read by anybody. */
  u64 bytes, slots;
} __attribute__((aligned(APART))) held[CLASS_SPANS + 1];

void copse_quarantine_start(void) {
  copse_lock_init(&list_lock, RANK_QUARANTINE);
  for (unsigned class = 0; class <= CLASS_SPANS; class++)
    held[class].oldest = held[class].newest = held[class].bytes = held[class].slots = 0;
}

/* What a slot counts; of a span it stands in its record. */
static u64 room_of(unsigned class, const struct side *side) {
  return class < CLASSES ? class_size(class) : (u64)side->room * ROOM_UNIT;
}

void copse_quarantine_put(unsigned class, u64 slot, u64 room) {
  struct quarantine *q = &held[class];
  struct side *side = copse_side_at(class, slot);
  if (class >= CLASSES) side->room = (u16)min_u64((room + ROOM_UNIT - 1) / ROOM_UNIT, UINT16_MAX);
  side->next = 0;
  copse_lock_acquire(&list_lock);
  if (q->newest)
    copse_side_at(class, q->newest - 1)->next = (u32)slot + 1;
  else
    q->oldest = slot + 1;
  q->newest = slot + 1;
  store_relaxed(&q->bytes, q->bytes + room_of(class, side));
  store_relaxed(&q->slots, q->slots + 1);
  copse_lock_release(&list_lock);
}

bool copse_quarantine_take(unsigned class, bool all, u64 *slot) {
  struct quarantine *q = &held[class];
  /* relaxed: a parameter, and figures: whoever misses what another thread puts in leaves it to that one. */
  u64 most = load_relaxed(&copse_tunables.quarantine);
  if (all ? !load_relaxed(&q->slots) : load_relaxed(&q->bytes) <= most) return false;
  bool taken = false;
  copse_lock_acquire(&list_lock);
  if (q->oldest && (all || (q->bytes > most && q->oldest != q->newest))) {
    const struct side *side = copse_side_at(class, q->oldest - 1);
    *slot = q->oldest - 1;
    q->oldest = side->next;
    if (!q->oldest) q->newest = 0;
    store_relaxed(&q->bytes, q->bytes - room_of(class, side));
    store_relaxed(&q->slots, q->slots - 1);
    taken = true;
  }
  copse_lock_release(&list_lock);
  return taken;
}

/* relaxed: a figure. */
u64 copse_quarantine_slots(unsigned class) { return load_relaxed(&held[class].slots); }
u64 copse_quarantine_bytes(unsigned class) { return load_relaxed(&held[class].bytes); }

void copse_quarantine_lock(void) { copse_lock_acquire(&list_lock); }
void copse_quarantine_unlock(void) { copse_lock_release(&list_lock); }

#else
typedef int copse_quarantine_is_empty;
#endif
