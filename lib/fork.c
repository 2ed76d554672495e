/* SPDX-License-Identifier: MIT */
#include "fork.h"
#include "lock.h"
#include "pool.h"
#include "span.h"
#include "start.h"
#include <pthread.h>

hidden extern struct lock copse_start_lock;

static void prepare(void) {
  copse_lock_acquire(&copse_start_lock);
  copse_lock_acquire(&copse_span_lock);
  for (unsigned class = 0; class < CLASSES; class++) copse_lock_acquire(&copse_pools[class].lock);
  /* Other libraries' handlers may run from here on, and allocate. */
  copse_lock_seize();
}

static void parent(void) {
  copse_lock_yield();
  for (unsigned class = CLASSES; class-- > 0;) copse_lock_release(&copse_pools[class].lock);
  copse_lock_release(&copse_span_lock);
  copse_lock_release(&copse_start_lock);
}

static void child(void) {
  copse_span_fork_child();
  /* Slots that a trim of another thread had detached, and that thread is not here. */
  for (unsigned class = 0; class < CLASSES; class++) {
    struct pool *p = &copse_pools[class];
    p->lost += p->detached;
    p->detached = 0;
    p->growing = 0;
  }
  parent();
  copse_cache_fork_child(cache_of_thread());
}

void copse_fork_register(void) { pthread_atfork(prepare, parent, child); }
