/* SPDX-License-Identifier: MIT */
/*
 * A mutex with a rank.  Locks are taken in ascending rank only; fork takes all of them in that order.
 * While a thread forks it owns every lock, and its own acquire and release are no-ops: handlers of other libraries that
 * run between may allocate.
 */
#ifndef COPSE_LOCK_H
#define COPSE_LOCK_H

#include "base.h"
#include <pthread.h>

enum lock_rank {
  RANK_START = 1, /* the process's first call, and the registration of what runs at fork */
  RANK_SPAN,      /* runs of granules and the span cache */
  RANK_QUARANTINE, /* what is held back, instrumented */
  RANK_ARENAS,    /* the pools of another arena are made */
  RANK_POOL,      /* + region: one size class of an arena */
};

struct lock {
  pthread_mutex_t mutex;
  unsigned rank;
};

#define LOCK_INITIALIZER(r) {PTHREAD_MUTEX_INITIALIZER, (r)}

hidden void copse_lock_init(struct lock *lock, unsigned rank);
hidden void copse_lock_acquire(struct lock *lock);
hidden void copse_lock_release(struct lock *lock);
/* Whether this thread holds a lock of rank RANK_POOL or above.  Instrumented only; in release always false. */
hidden bool copse_lock_holds_pool(void);

/* For fork.c alone: from `seize` to `yield` every acquire and release of the calling thread is a no-op. */
hidden void copse_lock_seize(void);
hidden void copse_lock_yield(void);
/* Whether the calling thread is between the two. */
hidden bool copse_lock_seized(void);

#endif
