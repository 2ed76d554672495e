/* SPDX-License-Identifier: MIT */
#include "start.h"
#include "annotate.h"
#include "cancel.h"
#include "check.h"
#include "fork.h"
#include "lock.h"
#include "pool.h"
#include "quarantine.h"
#include "report.h"
#include "side.h"
#include "span.h"
#include "stack.h"
#include "tunables.h"
#include "tune.h"
#include "vm.h"
#include <pthread.h>
#include <stdlib.h>

/* used: copse-inline.h names it in an asm statement only, which link-time optimisation does not read. */
#ifdef COPSE_TLS_DYNAMIC
__thread struct copse_hot_ *copse_self_ = &copse_cache_start.hot;
#else
__thread struct copse_hot_ *copse_self_ __attribute__((tls_model("initial-exec"), used)) = &copse_cache_start.hot;
#endif

__thread u8 copse_frees_direct __attribute__((tls_model("initial-exec")));

struct lock copse_start_lock = LOCK_INITIALIZER(RANK_START);
static bool started;
static pthread_key_t key;

/* A thread ends.  What destructors behind this one free goes straight to the pools, without a record. */
static void thread_end(void *record) {
  copse_annotate_enter();
  copse_self_ = &copse_cache_exited.hot;
  /* What reads it is an asm statement, of which a compiler that sees all of the program might not know that. */
  order_stores();
  copse_cache_detach_owner(record);
  copse_pool_check_next();
  copse_annotate_leave();
}

#if INSTRUMENTED
/* The tools, once; how much may be reserved depends on them. */
static void look_for_tools(void) {
  static bool done;
  if (done) return;
  done = true;
  copse_annotate_selfcheck = copse_tunables.tsan != 0;
  copse_annotate_start();
  copse_annotate_on_report(copse_report_describe);
}

/* The reservation and the records beside it: halved until both fit. */
static bool reserve(void) {
  while (copse_region_start()) {
    if (copse_side_start()) return true;
    u64 bytes = region_reserved();
    copse_vm_unreserve(copse_regions.base, bytes);
    copse_regions = (struct regions){0};
    copse_region_most = bytes / 2;
  }
  copse_region_most = (u64)1 << 40;
  return false;
}

static void last_of_start(void) {
  copse_quarantine_start();
  copse_stack_start();
  /* Not copse's own region, behind all others: it holds nobody's pointers, and of a race there TSan would look for the heap block
   * in all that lies before it. */
  copse_annotate_reserved(copse_regions.base, (u64)region_own() << copse_regions.bits);
}
#else
#define look_for_tools() ((void)0)
#define reserve() copse_region_start()
#define last_of_start() ((void)0)
#endif

#if defined(COPSE_DROPIN) || INSTRUMENTED
/* Once: where the start is refused and tried again, what is wrong with them has been said. */
static void read_options(void) {
  static bool done;
  const char *options = secure_getenv("COPSE_OPTIONS");
  if (options && !done) copse_options_read(options);
  done = done || options;
}
#endif

static bool bring_up(void) {
  copse_vm_start();
#if defined(COPSE_DROPIN) || INSTRUMENTED
  read_options();
#endif
  look_for_tools();
  if (!reserve()) return false;
  if (copse_pools_start() && copse_span_start() && pthread_key_create(&key, thread_end) == 0) {
    last_of_start();
    copse_parameters_freeze();
    return true;
  }
  copse_side_stop();
  copse_vm_unreserve(copse_regions.base, region_reserved());
  copse_regions = (struct regions){0};
  return false;
}

bool copse_started(void) {
  /* acquire: pairs with the release in copse_start: all that is constant after start is visible. */
  return load_acquire(&started);
}

bool copse_start(void) {
  if (copse_started()) return true;
  copse_fork_register();
  copse_lock_acquire(&copse_start_lock);
  int cancel = cancel_off(); /* files are read */
  bool first = !load_relaxed(&started), done = !first || bring_up();
  cancel_back(cancel);
  if (first && done) copse_fork_started();
  /* release: pairs with the acquire in copse_started. */
  if (first && done) store_release(&started, true);
  copse_lock_release(&copse_start_lock);
  return done;
}

int copse_start_parameter(const char *name, u64 value) {
  if (copse_started()) return copse_parameter_set(name, value);
  copse_fork_register();
  /* Not while another thread reads them. */
  copse_lock_acquire(&copse_start_lock);
  int error = copse_parameter_set(name, value);
  copse_lock_release(&copse_start_lock);
  return error;
}

struct cache *copse_thread_cache(void) {
  struct copse_hot_ *hot = copse_hot_of_thread_();
  if (!hot_is_dummy(hot)) return cache_of_hot(hot);
  if (hot == &copse_cache_exited.hot || !copse_start()) return NULL;
  /* Starting may have allocated, and so attached this thread. */
  hot = copse_hot_of_thread_();
  if (!hot_is_dummy(hot)) return cache_of_hot(hot);
  struct cache *c = copse_cache_attach();
  if (!c) return NULL;
  copse_self_ = &c->hot;
  order_stores();
  /* May allocate, where the process has many keys; this thread has its cache by now. */
  if (pthread_setspecific(key, c) != 0) {
    thread_end(c);
    return NULL;
  }
  return c;
}

struct cache *copse_thread_cache_to_free(void) {
  if (copse_hot_of_thread_() != &copse_cache_start.hot || copse_frees_direct >= FREES_DIRECT) return copse_thread_cache();
  copse_frees_direct++;
  return NULL;
}
