/* SPDX-License-Identifier: MIT */
#include "fork.h"
#include "annotate.h"
#include "lock.h"
#include "pool.h"
#include "quarantine.h"
#include "side.h"
#include "span.h"
#include "start.h"
#include <pthread.h>

hidden extern struct lock copse_start_lock;

static void prepare(void) {
  copse_annotate_enter();
  copse_lock_acquire(&copse_start_lock);
  copse_lock_acquire(&copse_span_lock);
  copse_quarantine_lock();
  copse_pools_lock();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_lock_acquire(&p->lock);
  /* Other libraries' handlers may run from here on, and allocate. */
  copse_lock_seize();
  copse_annotate_leave();
}

static void parent(void) {
  copse_annotate_enter();
  copse_lock_yield();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_lock_release(&p->lock);
  copse_pools_unlock();
  copse_quarantine_unlock();
  copse_lock_release(&copse_span_lock);
  copse_lock_release(&copse_start_lock);
  copse_annotate_leave();
}

static void child(void) {
  copse_annotate_enter();
  copse_side_thread_forget();
  copse_span_fork_child();
  /* Slots that a trim of another thread had detached, and that thread is not here. */
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    p->lost += p->detached;
    p->detached = 0;
    p->growing = 0;
  }
  parent();
  copse_cache_fork_child(cache_of_thread());
  copse_annotate_leave();
}

void copse_fork_register(void) { pthread_atfork(prepare, parent, child); }
