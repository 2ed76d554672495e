/* SPDX-License-Identifier: MIT */
/* Threads that use the library: what each of them holds, and the steps that scenarios put together. */
#ifndef MODEL_USERS_H
#define MODEL_USERS_H

#include "library.h"

/* The slots that each thread has. */
extern void *held[MODEL_THREADS][16];
extern int holds[MODEL_THREADS];
/* In the midst of allocations or frees: so many slots may be in its hand, which nobody counts. */
extern int busy[MODEL_THREADS];
/* Whether nothing is to be taken from a neighbour's arena; false after users_setup. */
extern bool at_home;

/* Called first in each setup, in place of library_setup: nobody holds anything. */
void users_setup(void);
/* In setup: the thread allocates; these are then the owner's.  And frees n of its own. */
void own(int thread, int n, int owner);
void free_own(int thread, int n);

/* ---- by the calling thread ---- */
void take(void);
void give(void);
void take_batch(int n);
void give_batch(void);

/* ---- threads ---- */
void idle(void);
void take_one(void);
void take_two(void);
void take_give(void);
void give_one(void);
void give_two(void);
void give_take(void);
/* By batches; six are more than a bundle: the slow path in the midst. */
void take_six(void);
void give_them(void);
void flush(void);
void give_flush(void);
/* The thread ends. */
void leave(void);
void give_leave(void);
/* A trim takes the spare of thread a, or what the recycler of its arena has. */
void rob(void);
void drain(void);
void trim(void);
/* Who is not behind has flushed: then what it had is in the pool. */
void trim_and_ask(void);
void checkpoint(void);
void reclaim(void);
/* Statistics. */
void count(void);
void look(void);

#endif
