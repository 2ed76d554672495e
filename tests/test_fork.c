/* SPDX-License-Identifier: MIT */
/*
 * fork in a process with threads: the child works, takes back what the threads that it does not have had cached, and hands
 * out nothing twice; handlers of others may allocate in between.
 */
#include "fork_help.h"
#include "fork.h"

FRESH(one_thread) {
  heap_take(&heap, 1000);
  heap_give(&heap, 300);
  u64 cached = copse_cache_count(copse_class_(200));
  in_child(check_and_use);
  CHECK(copse_cache_count(copse_class_(200)) == cached);
  check_and_use();
}

FRESH(before_the_first_allocation) {
  in_child(check_and_use);
  CHECK(!copse_started());
  check_and_use();
}

static void fork_again(void) {
  in_child(check_and_use);
  check_and_use();
}
static void fork_and_fork_again(void) {
  in_child(fork_again);
  check_and_use();
}
FRESH(children_of_children) {
  heap_take(&heap, 1000);
  in_child(fork_and_fork_again);
  check_and_use();
}

/* ---- what other threads had cached ---- */

static void reclaimed(void) {
  for (struct cache *c = copse_cache_first(); c; c = c->next) {
    if (c == mine()) continue;
    CHECK(!c->taken && !copse_cache_holds(c));
    for (unsigned class = 0; class < CLASSES; class++) CHECK(!c->spare[class]);
  }
  struct live live = {0};
  live_of(&live, &heap);
  static struct copse_stats stats;
  for (unsigned t = 0; t < 3; t++) live_of(&live, &others[t]);
  balance(&live);
  copse_stats(&stats);
  CHECK(stats.threads == (mine() != NULL));
  for (unsigned class = 0; class < CLASSES; class++) CHECK(stats.classes[class].lost == 0);
  CHECK(copse_trim_pending() == 0);
  /* What was theirs may be freed here, and what they had cached may be had. */
  for (unsigned t = 0; t < 3; t++) heap_give(&others[t], others[t].n);
  heap_give(&heap, heap.n);
  use_all();
  copse_trim();
  for (unsigned class = 0; class < CLASSES; class++) CHECK(copse_cache_count(class) == 0);
  balance_empty();
}

FRESH(caches_of_threads_that_are_not_there) {
  static struct worker w[3];
  heap_take(&heap, 100);
  for (unsigned t = 0; t < 3; t++) {
    worker_start(&w[t]);
    worker_do(&w[t], take_and_give, &others[t]);
  }
  for (unsigned i = 0; i < 3; i++) in_child(reclaimed);
  /* The parent's are as they were. */
  CHECK(copse_cache_count(copse_class_(48)) > 0);
  for (unsigned t = 0; t < 3; t++) {
    heap_give(&others[t], others[t].n);
    worker_do(&w[t], take_and_give, &others[t]);
    worker_end(&w[t]);
  }
  reclaimed();
}

static void fork_it(void *argument) {
  (void)argument;
  in_child(reclaimed);
}

FRESH(from_threads_with_a_cache_and_without) {
  static struct worker w[3], without;
  heap_take(&heap, 100);
  for (unsigned t = 0; t < 3; t++) {
    worker_start(&w[t]);
    worker_do(&w[t], take_and_give, &others[t]);
  }
  worker_start(&without);
  worker_do(&without, fork_it, NULL);
  for (unsigned t = 0; t < 3; t++) worker_do(&w[t], fork_it, NULL);
  for (unsigned t = 0; t < 3; t++) worker_end(&w[t]);
  worker_end(&without);
}

/* ---- handlers of others ---- */

/* Registered before ours, which a constructor registers. */
static struct {
  void (*prepare)(void), (*parent)(void), (*child)(void);
} early;
static void early_prepare(void) {
  if (early.prepare) early.prepare();
}
static void early_parent(void) {
  if (early.parent) early.parent();
}
static void early_child(void) {
  if (early.child) early.child();
}
__attribute__((constructor(101))) static void register_before_ours(void) { pthread_atfork(early_prepare, early_parent, early_child); }

static unsigned ran[3];
static void *from_handlers[3][200];
static bool reclaimed_before_later_handlers;

static void allocate_in(unsigned which) {
  ran[which]++;
  for (unsigned i = 0; i < 200; i++) {
    size_t size = 16 + 96 * i;
    void *p = copse_alloc(size);
    CHECK(p);
    memset(p, 3, size);
    if (from_handlers[which][i]) copse_free_unsized(from_handlers[which][i]);
    from_handlers[which][i] = p;
  }
  void *span = copse_alloc(3 * MB);
  CHECK(span);
  copse_free(span, 3 * MB);
}
static void in_prepare(void) { allocate_in(0); }
static void in_parent(void) { allocate_in(1); }
static void after_fork_in_child(void) { allocate_in(2); }

static void handlers_child(void) {
  CHECK(ran[0] > 0 && ran[2] > 0);
  struct live live = {0};
  for (unsigned which = 0; which < 3; which++)
    for (unsigned i = 0; i < 200; i++)
      if (from_handlers[which][i]) live_add(&live, from_handlers[which][i]);
  for (unsigned t = 0; t < 3; t++) live_of(&live, &others[t]);
  balance(&live);
  use_all();
  balance(&live);
  for (unsigned which = 0; which < 3; which++)
    for (unsigned i = 0; i < 200; i++)
      if (from_handlers[which][i]) copse_free_unsized(from_handlers[which][i]);
}

/* MemorySanitizer of clang 14 forks with its own lock held: whoever allocates in a handler waits for ever, by malloc too. */
static bool no_handler_may_allocate(void) {
#if defined(__clang__) && __clang_major__ < 15
  copse_free(copse_alloc(1), 1);
  if (copse_tools & TOOL_MSAN) {
    left_out("with this MemorySanitizer no fork handler may allocate");
    return true;
  }
#endif
  return false;
}

/* Registered before ours: in the parent they run behind our prepare, and before our release. */
FRESH(handlers_registered_before_ours) {
  if (no_handler_may_allocate()) return;
  static struct worker w[3];
  early.prepare = in_prepare;
  early.parent = in_parent;
  early.child = after_fork_in_child;
  for (unsigned t = 0; t < 3; t++) {
    worker_start(&w[t]);
    worker_do(&w[t], take_and_give, &others[t]);
  }
  for (unsigned i = 0; i < 5; i++) in_child(handlers_child);
  CHECK(ran[0] == 5 && ran[1] == 5 && ran[2] == 0);
  for (unsigned t = 0; t < 3; t++) {
    heap_give(&others[t], others[t].n);
    worker_do(&w[t], take_and_give, &others[t]);
  }
  for (unsigned t = 0; t < 3; t++) worker_end(&w[t]);
}

static struct worker looker;
static unsigned not_held;

static void look_at_locks(void *unused) {
  (void)unused;
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p))
    if (pthread_mutex_trylock(&p->lock.mutex) == 0) {
      pthread_mutex_unlock(&p->lock.mutex);
      not_held++;
    }
}
static void first_in_prepare(void) {
  CHECK(!mine());
  copse_free(copse_alloc(100), 100);
  CHECK(mine());
  worker_do(&looker, look_at_locks, NULL);
}
static void fork_and_use(void *unused) {
  (void)unused;
  in_child(use_all);
}

/* A thread whose first call is made in a handler has a record by then, but makes no arena: it has the lock of each pool there is. */
FRESH(a_first_call_in_a_handler) {
  if (INSTRUMENTED) {
    left_out("there is one arena");
    return;
  }
  static struct worker forker;
  CHECK(copse_tune_set("arenas", ARENAS_MOST) == 0);
  if (no_handler_may_allocate()) return;
  early.prepare = first_in_prepare;
  copse_free(copse_alloc(100), 100);
  worker_start(&looker);
  worker_start(&forker);
  worker_do(&forker, fork_and_use, NULL);
  CHECK(not_held == 0);
  /* From then on there are more. */
  worker_do(&looker, take_and_give, &others[0]);
  CHECK(copse_pools_arenas() > 1);
  heap_give(&others[0], others[0].n);
  balance_empty();
  worker_end(&forker);
  worker_end(&looker);
}

/* The mutex of a library that knows nothing of copse: it opens streams under it, and its handlers of fork run behind ours. */
static pthread_mutex_t stranger = PTHREAD_MUTEX_INITIALIZER;
static int stranger_has_it;
static void opens_a_stream(void *unused) {
  (void)unused;
  pthread_mutex_lock(&stranger);
  store_release(&stranger_has_it, 1);
  usleep(200000);
  FILE *stream = fopen("/dev/null", "w");
  CHECK(stream && fclose(stream) == 0);
  pthread_mutex_unlock(&stranger);
}
static void take_stranger(void) { pthread_mutex_lock(&stranger); }
static void release_stranger(void) { pthread_mutex_unlock(&stranger); }
FRESH(a_handler_waits_for_a_stream) {
  if (no_handler_may_allocate()) return;
  static struct worker w;
  early.prepare = take_stranger;
  early.parent = early.child = release_stranger;
  copse_free(copse_alloc(100), 100);
  worker_start(&w);
  worker_begin(&w, opens_a_stream, NULL);
  while (!load_acquire(&stranger_has_it)) usleep(1000);
  in_child(use_all);
  worker_wait(&w);
  worker_end(&w);
}

static bool no_handler_may_start(void) {
  if (UNDER_MSAN) left_out("MemorySanitizer holds locks of its own through the handlers, which the allocation wants");
  return UNDER_MSAN;
}

/* The very first call is made in a handler that runs behind ours: the locks that come with it are held too. */
FRESH(a_start_in_a_handler) {
  if (no_handler_may_start()) return;
  static struct worker forker;
  early.prepare = first_in_prepare;
  worker_start(&looker);
  worker_start(&forker);
  worker_do(&forker, fork_and_use, NULL);
  CHECK(copse_started() && not_held == 0);
  check_and_use();
  worker_end(&forker);
  worker_end(&looker);
}

/* Or in one that runs before ours: as in any other fork all locks are held by then. */
static void look_in_prepare(void) { worker_do(&looker, look_at_locks, NULL); }
static void first_of_all(void) { copse_free(copse_alloc(100), 100); }
FRESH(a_start_before_our_handler) {
  if (no_handler_may_start()) return;
  early.prepare = look_in_prepare;
  CHECK(pthread_atfork(first_of_all, NULL, NULL) == 0);
  worker_start(&looker);
  CHECK(!copse_started());
  in_child(check_and_use);
  CHECK(copse_started() && not_held == 0);
  check_and_use();
  worker_end(&looker);
}

static void later_child(void) {
  u64 cached = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next)
    if (c != mine()) cached += copse_cache_holds(c);
  reclaimed_before_later_handlers = cached == 0;
  allocate_in(2);
}
static void check_later(void) {
  CHECK(reclaimed_before_later_handlers);
  handlers_child();
}

FRESH(handlers_registered_after_ours) {
  if (no_handler_may_allocate()) return;
  static struct worker w[3];
  for (unsigned t = 0; t < 3; t++) {
    worker_start(&w[t]);
    worker_do(&w[t], take_and_give, &others[t]);
  }
  CHECK(pthread_atfork(in_prepare, in_parent, later_child) == 0);
  for (unsigned i = 0; i < 5; i++) in_child(check_later);
  for (unsigned t = 0; t < 3; t++) worker_end(&w[t]);
}

static void take_and_give_all(void *argument) {
  struct heap *h = argument;
  heap_take(h, 3000);
  heap_give(h, 3000);
  CHECK(copse_cache_holds(mine()));
}

/* Where several threads have registered the handlers, a fork is as with one. */
FRESH(handlers_registered_twice) {
  static struct worker w;
  CHECK(copse_start());
  copse_fork_handlers_again();
  copse_fork_handlers_again();
  worker_start(&w);
  worker_do(&w, take_and_give_all, &others[0]);
  in_child(fork_and_fork_again);
  check_and_use();
  worker_end(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_thread),
    cmocka_unit_test(before_the_first_allocation),
    cmocka_unit_test(children_of_children),
    cmocka_unit_test(caches_of_threads_that_are_not_there),
    cmocka_unit_test(from_threads_with_a_cache_and_without),
    cmocka_unit_test(handlers_registered_before_ours),
    cmocka_unit_test(a_first_call_in_a_handler),
    cmocka_unit_test(a_handler_waits_for_a_stream),
    cmocka_unit_test(a_start_in_a_handler),
    cmocka_unit_test(a_start_before_our_handler),
    cmocka_unit_test(handlers_registered_after_ours),
    cmocka_unit_test(handlers_registered_twice),
  };
  this_program_forks();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
