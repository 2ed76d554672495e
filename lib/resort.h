/* SPDX-License-Identifier: MIT */
/*
 * What is tried before memory is said to be out, in this order, of slots and of spans:
 *   1. what caches and recyclers hold goes home to the pools, and what is free there goes back to the system: then there may be
 *      slots of this class, larger ones to borrow from, or room below the limit;
 *   2. what is bare loses its access: the system may count against this process what other classes have and do not use.
 * For any thread that holds no lock of copse.
 */
#ifndef COPSE_RESORT_H
#define COPSE_RESORT_H

#include "cache.h"

/* After a refill was refused, by a thread whose record is `c`, or NULL.  NULL: there is no more. */
hidden void *copse_resort_slot_owner(struct cache *c, unsigned class);
/* Brings copse up, and asks for a span again after each step.  NULL with errno: there is no more; else errno is left alone. */
hidden void *copse_resort_span(u64 size, u64 alignment, bool zero);

#endif
