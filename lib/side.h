/* SPDX-License-Identifier: MIT */
/*
 * The instrumented library's record of each slot and of each span: beside the data, in a reservation of its own that is
 * committed as pools grow.  Nothing of it exists in release.
 *
 *   base of a class + 32 bytes * slot;  of the spans: + 32 bytes * granule
 *
 * Invariant: a record's state is LIVE iff the slot is the caller's.  It changes by compare-and-swap only, so that of two
 * threads that free a slot at the same time one finds it freed.  The other fields belong to whoever made the state what it
 * is: to the allocating thread until LIVE is published, to the freeing one after it took LIVE away.
 */
#ifndef COPSE_SIDE_H
#define COPSE_SIDE_H

#include "base.h"

enum side_state {
  SIDE_NEVER,      /* fresh memory: never handed out */
  SIDE_LIVE,       /* the caller's */
  SIDE_QUARANTINE, /* freed, and held back */
  SIDE_FREE,       /* freed, and may be handed out again */
  SIDE_BUSY        /* on its way from LIVE to QUARANTINE, or from FREE to LIVE: its fields are being written */
};

struct side {
  u64 size;                      /* bytes asked for */
  u32 alloc_stack, free_stack;   /* stack.h; 0: none */
  u32 alloc_thread, free_thread; /* the system's number of it */
  u32 next;                      /* in the quarantine: the slot behind this one, + 1; 0: none */
  u8 state;                      /* enum side_state, atomic */
  u8 alignment;                  /* log2 of the one asked for */
  u16 room;                      /* in the quarantine of the spans: granules of 2 MB; in a class: 0 */
};
static_assert(sizeof(struct side) == 32, "two records a cache line");

#ifdef COPSE_INSTRUMENTED

/* Once, after copse_region_start.  false: no memory. */
hidden bool copse_side_start(void);
/* Makes the records of slots [from, to) of a class accessible, zero where they are new.  No lock is held.  false: refused. */
hidden bool copse_side_commit(unsigned class, u64 from, u64 to);
/* The same for granules of the spans. */
hidden bool copse_side_commit_spans(u64 from, u64 to);
/* The record of a slot of a class, or, with class CLASS_SPANS, of a granule.  pre: committed. */
hidden struct side *copse_side_at(unsigned class, u64 slot);
/* Whether that record may be read: any class, any slot. */
hidden bool copse_side_known(unsigned class, u64 slot);
/* Gives the reservation of the records back: where nothing is started after all. */
hidden void copse_side_stop(void);

/* The system's number of the calling thread; asked once a thread, and anew in a child of fork. */
hidden u32 copse_side_thread(void);
hidden void copse_side_thread_forget(void);

#else

#define copse_side_start() true
#define copse_side_stop() ((void)0)
#define copse_side_thread_forget() ((void)0)
#define copse_side_commit(class, from, to) true
#define copse_side_commit_spans(from, to) true

#endif

#endif
