/* SPDX-License-Identifier: MIT */
/*
 * The whole library under the checker: brought up once, outside of executions, in the least address space; with system
 * calls that are the checker's.  A slot that is handed out is written to, so that whoever else has it too is in a race.
 */
#ifndef MODEL_LIBRARY_H
#define MODEL_LIBRARY_H

#include "cache.h"
#include "copse.h"
#include "model.h"
#include "pool.h"
#include "start.h"
#include "trim.h"
#include "tunables.h"
#include "vm.h"

enum { SMALL = 0, SMALL_SIZE = 16 }; /* the class that scenarios work on, and its slots */

/* Up, with records for four threads, small bundles (4 slots), a small cap (1), and small steps of growth (a page). */
void library_up(void);
/* Everything but copse_start: for scenarios of the start itself. */
void library_before_start(void);
/* The same with two arenas: records 0 and 2 are of the first, 1 and 3 of the second. */
void library_up_arenas(void);
/* With two, of which the second has no pools yet, and with record 0 alone. */
void library_up_first_arena(void);
/* Called first in each setup: which counters commute. */
void library_setup(void);

extern struct cache *records[MODEL_THREADS];
/* The calling thread takes its record. */
void become(void);

/* mprotect, from a thread's n-th on, refuses; 0: never.  -1: the checker chooses each time. */
extern int refuse_from;

/* SMALL_SIZE, unless the setup says otherwise. */
extern size_t slot_size;
/* One slot for the calling thread, by the hot path; NULL: none. */
void *take_slot(void);
void give_slot(void *p);
/* The same books for slots that came another way. */
void have_slot_of(int thread, void *p);
void lose_slot_of(int thread, void *p);
/* To another thread, and from one (NULL: nothing there yet). */
struct mail {
  void *p;
};
void post(struct mail *m, void *p);
void *collect(struct mail *m);

/* ---- final checks ---- */
/* Each slot of a region's pool is in exactly one place: free, in a bundle, with a thread that did not give it back. */
void conserved(unsigned region);
/* The same, but `missing` are nowhere. */
void conserved_but(unsigned region, u64 missing);
/* Where nothing was borrowed: what is in a recycler is of its region. */
void recyclers_at_home(unsigned class);
/* None is in two places; how many are in none, without those that the pool counts as lost. */
u64 slots_nowhere(unsigned region);

#endif
