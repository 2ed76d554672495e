/* SPDX-License-Identifier: MIT */
/*
 * fork in a process with threads: the child works, takes back what the threads that it does not have had cached, and hands
 * out nothing twice; handlers of others may allocate in between; and what was in flight is lost, and counted.
 */
#include "fork_help.h"
#include "fork.h"

static void check_and_use(void) {
  struct live live = {0};
  live_of(&live, &heap);
  balance(&live);
  use_all();
  balance(&live);
  heap_give(&heap, heap.n);
  balance_empty();
}

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

static void take_and_give(void *argument) {
  struct heap *h = argument;
  heap_take(h, 3000);
  heap_give(h, 2500);
  CHECK(copse_cache_holds(mine()));
}

static struct heap others[3] = {{.size = 200}, {.size = 48}, {.size = 6000}};

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
  CHECK(pthread_atfork(in_prepare, in_parent, after_fork_in_child) == 0);
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
  if (no_handler_may_allocate() || INSTRUMENTED) {
    left_out("there is one arena");
    return;
  }
  static struct worker forker;
  CHECK(copse_tune_set("arenas", ARENAS_MOST) == 0 && pthread_atfork(first_in_prepare, NULL, NULL) == 0);
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

/* ---- threads in the middle of something ---- */

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool waiting, open;
  enum vm_kind kind;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, VM_KINDS};
static __thread bool stops_here;

static void stop_at_gate(const struct vm_record *call) {
  if (!stops_here || call->kind != gate.kind) return;
  pthread_mutex_lock(&gate.mutex);
  gate.waiting = true;
  pthread_cond_broadcast(&gate.changed);
  while (!gate.open) pthread_cond_wait(&gate.changed, &gate.mutex);
  pthread_mutex_unlock(&gate.mutex);
}
static void gate_wait(void) {
  pthread_mutex_lock(&gate.mutex);
  while (!gate.waiting) pthread_cond_wait(&gate.changed, &gate.mutex);
  pthread_mutex_unlock(&gate.mutex);
}
static void gate_open(void) {
  pthread_mutex_lock(&gate.mutex);
  gate.open = true;
  pthread_cond_broadcast(&gate.changed);
  pthread_mutex_unlock(&gate.mutex);
}

static void trim_and_stop(void *argument) {
  (void)argument;
  stops_here = true;
  copse_trim();
  stops_here = false;
}

static void detached_is_lost(void) {
  static struct copse_stats stats;
  const unsigned class = copse_class_(200);
  copse_stats(&stats);
  CHECK(stats.classes[class].detached == 0 && stats.classes[class].lost > 0);
  struct live live = {0};
  live_of(&live, &heap);
  balance(&live);
  use_all();
  heap_take(&heap, 500);
  live = (struct live){0};
  live_of(&live, &heap);
  balance(&live);
}

FRESH(while_another_thread_trims) {
  static struct worker w;
  worker_start(&w);
  heap_take(&heap, 2000);
  heap_give(&heap, 1500);
  copse_thread_flush();
  vm_faults_install();
  vm_faults.hook = stop_at_gate;
  gate.kind = VM_MADVISE;
  worker_begin(&w, trim_and_stop, NULL);
  gate_wait();
  u64 detached = copse_pools[copse_class_(200)].detached;
  CHECK(detached > 0);
  in_child(detached_is_lost);
  in_child(detached_is_lost);
  gate_open();
  worker_wait(&w);
  CHECK(copse_pools[copse_class_(200)].detached == 0);
  check_and_use();
  worker_end(&w);
}

/* fork waits for whoever holds a pool: the child finds none half-way. */
static u32 half_way;
static void hold_a_pool(void *argument) {
  copse_lock_acquire(argument);
  store_release(&half_way, (u32)1);
  usleep(50000);
  store_release(&half_way, (u32)2);
  copse_lock_release(argument);
}
static void nobody_is_half_way(void) {
  CHECK(half_way == 2);
  check_and_use();
}

FRESH(while_another_thread_holds_a_lock) {
  static struct worker w;
  struct lock *locks[] = {&copse_pools[0].lock, &copse_pools[CLASSES - 1].lock, &copse_span_lock};
  copse_free(copse_alloc(1), 1);
  worker_start(&w);
  for (unsigned i = 0; i < 3; i++) {
    half_way = 0;
    worker_begin(&w, hold_a_pool, locks[i]);
    while (load_acquire(&half_way) == 0) usleep(100);
    in_child(nobody_is_half_way);
    worker_wait(&w);
  }
  worker_end(&w);
}

static void take_and_stop(void *argument) {
  stops_here = true;
  *(void **)argument = copse_alloc(400);
  stops_here = false;
}

static void growing_is_over(void) {
  struct pool *p = &copse_pools[copse_class_(400)];
  CHECK(p->growing == 0);
  struct live live = {0};
  live_of(&live, &heap);
  balance(&live);
  static struct heap h = {.size = 400};
  heap_take(&h, 1000);
  live_of(&live, &h);
  balance(&live);
  CHECK(p->step > 0); /* a big step, as if the one that is stopped had never been */
  heap_give(&h, 1000);
  use_all();
  balance(&(struct live){{0}});
}

FRESH(while_another_thread_grows) {
  static struct worker w;
  worker_start(&w);
  copse_free(copse_alloc(1), 1);
  worker_do(&w, take_and_give, &others[0]);
  heap_give(&others[0], others[0].n);
  vm_faults_install();
  vm_faults.hook = stop_at_gate;
  gate.kind = VM_MPROTECT;
  void *p = NULL;
  worker_begin(&w, take_and_stop, &p);
  gate_wait();
  in_child(growing_is_over);
  gate_open();
  worker_wait(&w);
  CHECK(p);
  copse_free(p, 400);
  check_and_use();
  worker_end(&w);
}

static void the_first_of_all(void *p) {
  stops_here = true;
  *(void **)p = copse_alloc(400);
  stops_here = false;
}
static void allocate_in_a_child(void) { copse_free(copse_alloc(400), 400); }
static void fork_and_allocate(void *unused) {
  (void)unused;
  in_child(allocate_in_a_child);
}

/* A child of a process in which another thread was bringing copse up: it does not begin with that thread's lock. */
FRESH(while_another_thread_brings_copse_up) {
  if (UNDER_MSAN) {
    left_out("MemorySanitizer holds locks of its own through the handlers, which the allocation wants");
    return;
  }
  static struct worker w, forker;
  void *p = NULL;
  worker_start(&w);
  worker_start(&forker);
  vm_faults_install();
  vm_faults.hook = stop_at_gate;
  gate.kind = VM_MMAP;
  worker_begin(&w, the_first_of_all, &p);
  gate_wait();
  CHECK(!copse_started());
  worker_begin(&forker, fork_and_allocate, NULL);
  usleep(100000); /* so that it has forked, if it can */
  gate_open();
  worker_wait(&w);
  worker_wait(&forker);
  CHECK(p);
  copse_free(p, 400);
  check_and_use();
  worker_end(&w);
  worker_end(&forker);
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
    cmocka_unit_test(handlers_registered_after_ours),
    cmocka_unit_test(while_another_thread_trims),
    cmocka_unit_test(while_another_thread_holds_a_lock),
    cmocka_unit_test(while_another_thread_grows),
    cmocka_unit_test(while_another_thread_brings_copse_up),
    cmocka_unit_test(handlers_registered_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
