/* SPDX-License-Identifier: MIT */
#include "fork.h"
#include "annotate.h"
#include "atomic.h"
#include "lock.h"
#include "pool.h"
#include "quarantine.h"
#include "side.h"
#include "span.h"
#include "start.h"
#include <pthread.h>

hidden extern struct lock copse_start_lock;

/*
 * The thread that forks alone knows of these, and a child begins with them.  Several threads may have registered the handlers: of one
 * fork, the first that runs before it and the last that runs behind it do what there is to be done.
 */
static unsigned again;
static bool up; /* copse was when the locks were taken: before that there is but that of the start, and the others come with it */

/*
 * The lock of the C library's list of streams.  glibc takes it for a fork, behind the handlers; who flushes all streams has it while it
 * waits for one, and who has that one may wait for memory, as getline(3) does: so it goes ahead of all of ours.  It is recursive.
 * In the drop-in alone: in others the C library's memory is not ours, and handlers that other libraries' constructors registered may
 * run behind ours, and wait for who opens a stream.
 * Source: glibc, posix/fork.c; Sourceware bug 19431.
 */
#ifdef COPSE_DROPIN
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wreserved-identifier"
#endif
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));
#pragma GCC diagnostic pop

static bool has_streams(void) { return _IO_list_lock && _IO_list_unlock && _IO_list_resetlock; }
static void streams_take(void) {
  if (has_streams()) _IO_list_lock();
}
static void streams_release(void) {
  if (has_streams()) _IO_list_unlock();
}
/* Of a process with threads the C library has made it new by now. */
static void streams_reset(void) {
  if (has_streams()) _IO_list_resetlock();
}
#else
static void streams_take(void) {}
static void streams_release(void) {}
static void streams_reset(void) {}
#endif

/* All but that of the start. */
static void take_others(void) {
  copse_lock_acquire(&copse_span_lock);
  copse_quarantine_lock();
  copse_pools_lock();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_lock_acquire(&p->lock);
}

static void prepare(void) {
  if (copse_lock_seized()) {
    again++;
    return;
  }
  streams_take();
  bool known = copse_started(); /* and so are the tools */
  if (known) copse_annotate_enter();
  copse_lock_acquire(&copse_start_lock);
  up = copse_started();
  if (up) take_others();
  /* Other libraries' handlers may run from here on, and allocate. */
  copse_lock_seize();
  if (known) copse_annotate_leave();
}

void copse_fork_started(void) {
  if (!copse_lock_seized()) return;
  /* Nobody else knows of them yet, and so none is waited for. */
  copse_lock_yield();
  take_others();
  up = true;
  copse_lock_seize();
}

static void release_all(void) {
  copse_lock_yield();
  if (up) {
    for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_lock_release(&p->lock);
    copse_pools_unlock();
    copse_quarantine_unlock();
    copse_lock_release(&copse_span_lock);
  }
  copse_lock_release(&copse_start_lock);
}

/* Whether this is not the last of the handlers behind a fork. */
static bool more_to_come(void) {
  if (!again) return false;
  again--;
  return true;
}

static void parent(void) {
  if (more_to_come()) return;
  bool known = copse_started();
  if (known) copse_annotate_enter();
  release_all();
  if (known) copse_annotate_leave();
  streams_release();
}

static void child(void) {
  if (more_to_come()) return;
  streams_reset();
  if (!up) {
    release_all();
    return;
  }
  copse_annotate_enter();
  copse_side_thread_forget();
  copse_span_fork_child();
  /* Slots that a trim of another thread had detached, and that thread is not here. */
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    p->lost += p->detached;
    p->detached = 0;
    p->growing = p->pending = 0;
    pool_late_over(p);
  }
  release_all();
  copse_cache_fork_child(cache_of_thread());
  copse_annotate_leave();
}

void copse_fork_handlers_again(void) { pthread_atfork(prepare, parent, child); }

__thread bool copse_fork_under_way __attribute__((tls_model("initial-exec")));

void copse_fork_register(void) {
  static bool registered;
  /* acquire: pairs with the release below.  The C library may allocate for it, and so come here again: then it holds back who forks. */
  if (load_acquire(&registered) || copse_fork_under_way) return;
  copse_fork_under_way = true;
  copse_fork_handlers_again();
  copse_fork_under_way = false;
  /* release: pairs with the acquire above: who sees it need not register them itself. */
  store_release(&registered, true);
}

/*
 * Before the first call, which may come in another library's handler: what is registered there is not run in that fork, whose child
 * would find locks as other threads had them.
 */
__attribute__((constructor)) static void register_early(void) { copse_fork_register(); }
