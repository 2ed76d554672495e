/* SPDX-License-Identifier: MIT */
/*
 * fork while another thread is in the middle of something: it trims, holds a lock, grows a pool, or makes the first call of all.  What was
 * in flight is lost to the child, and counted.
 */
#include "fork_help.h"
#include "fork.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(while_another_thread_trims),
    cmocka_unit_test(while_another_thread_holds_a_lock),
    cmocka_unit_test(while_another_thread_grows),
    cmocka_unit_test(while_another_thread_brings_copse_up),
  };
  this_program_forks();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
