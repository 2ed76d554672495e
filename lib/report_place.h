/* SPDX-License-Identifier: MIT */
/* Address to slot to record, for any address at all: what is not known to be accessible is not read. */
#ifndef COPSE_REPORT_PLACE_H
#define COPSE_REPORT_PLACE_H

#include "base.h"
#include "side.h"

#ifdef COPSE_INSTRUMENTED

struct place {
  unsigned class; /* or CLASS_SPANS */
  u64 slot;       /* or granule */
  char *start;
  u64 room;          /* bytes from start that belong to it */
  struct side *side; /* NULL: the address is in no slot that exists, and all else is 0 */
};

/* The slot or span that `p` lies in: between its start and the next one's. */
hidden struct place copse_place_of(const void *p);
/* Of a record that is known. */
hidden struct place copse_place_at(unsigned class, u64 slot);
/* The least slot of a class at `from` or above whose record is known; ~0: there is none. */
hidden u64 copse_place_next(unsigned class, u64 from);

/* acquire: pairs with the releases of guard.c: the fields that go with the state are visible. */
hidden enum side_state copse_place_state(const struct place *place);

#endif

#endif
