/* SPDX-License-Identifier: MIT */
/*
 * Freed slots that are held back, so that what is done to them after the free is found: a FIFO a class, and one of the spans,
 * bounded in bytes by the parameter "quarantine" (a class), but always the newest one.  Linked through their records (side.h),
 * so that it takes no memory of its own.  It knows nothing of pools: who asks for room takes the oldest out and frees it.
 *
 * Invariant, under the lock: bytes is the sum of the rooms of what is linked; each of them is QUARANTINE.
 */
#ifndef COPSE_QUARANTINE_H
#define COPSE_QUARANTINE_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED

/* Once. */
hidden void copse_quarantine_start(void);
/*
 * Appends slot `slot` of a class (or granule, with CLASS_SPANS), `room` bytes: of a class the size of its slots, of a span
 * counted in whole granules.  Its record is QUARANTINE.
 */
hidden void copse_quarantine_put(unsigned class, u64 slot, u64 room);
/*
 * Takes the oldest out where the class holds more than it may, or, with `all`, in any case.  false: there is none to be taken.
 * No lock is held when it returns.
 */
hidden bool copse_quarantine_take(unsigned class, bool all, u64 *slot);
/* Slots that a class holds: the term `quarantined` of the slot equation. */
hidden u64 copse_quarantine_slots(unsigned class);
hidden u64 copse_quarantine_bytes(unsigned class);
/* Fork. */
hidden void copse_quarantine_lock(void);
hidden void copse_quarantine_unlock(void);

#else

#define copse_quarantine_slots(class) ((u64)0)
#define copse_quarantine_start() ((void)0)
#define copse_quarantine_lock() ((void)0)
#define copse_quarantine_unlock() ((void)0)

#endif

#endif
