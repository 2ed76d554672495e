/* SPDX-License-Identifier: MIT */
/* No system call is made while a lock of a pool, or that of the spans, is held: each call is looked at as it is made. */
#include "balance.h"
#include "random.h"
#include "vm_faults.h"
#include <pthread.h>
#include <string.h>

static u64 calls, under_lock;

/* For a process of one thread: whoever holds a lock is the caller. */
static void try_all_locks(const struct vm_record *call) {
  (void)call;
  calls++;
  for (unsigned class = 0; class <= COPSE_CLASSES; class++) {
    pthread_mutex_t *mutex = class < COPSE_CLASSES ? &copse_pools[class].lock.mutex : &copse_span_lock.mutex;
    if (pthread_mutex_trylock(mutex) == 0)
      pthread_mutex_unlock(mutex);
    else
      under_lock++;
  }
}

/* For many threads: what the caller itself holds.  Only the instrumented library knows. */
static void ask_the_library(const struct vm_record *call) {
  (void)call;
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  if (copse_lock_holds_pool()) __atomic_fetch_add(&under_lock, 1, __ATOMIC_RELAXED);
}

/* Everything that makes system calls: growth in all classes, trims of all kinds, spans that grow, move, shrink. */
static void everything(uint64_t seed) {
  enum { N = 3000 };
  struct {
    void *p;
    size_t size;
  } held[N];
  memset(held, 0, sizeof held);
  for (unsigned i = 0; i < LESS(40000); i++) {
    unsigned at = (unsigned)random_below(&seed, N);
    if (held[at].p) {
      if (i % 5 == 0) {
        size_t to = 1 + random_below(&seed, held[at].size * 2);
        void *p = copse_realloc(held[at].p, held[at].size, to);
        if (p) {
          held[at].p = p;
          held[at].size = to;
        }
        continue;
      }
      copse_free_unsized(held[at].p); /* of any alignment */
      held[at].p = NULL;
      continue;
    }
    size_t size = 1 + random_below(&seed, (size_t)64 << random_below(&seed, i % 50 ? 11 : 18));
    held[at].size = size;
    held[at].p = i % 3 == 0   ? copse_alloc_zeroed(size)
                 : i % 3 == 1 ? copse_alloc(size)
                              : copse_alloc_aligned(size, (size_t)16 << random_below(&seed, i % 100 ? 8 : 18));
    if (i % 3000 == 0) copse_trim();
    if (i % 777 == 0) copse_thread_flush();
    if (i % 10000 == 0) copse_tune_set("cooldown", random_below(&seed, 3));
    if (i % 10000 == 5000) copse_tune_set("huge", random_below(&seed, 3));
  }
  for (unsigned i = 0; i < N; i++)
    if (held[i].p) copse_free_unsized(held[i].p);
  copse_tune_set("cooldown", 0);
  copse_trim();
}

FRESH(none_in_one_thread) {
  vm_faults_install();
  vm_faults.hook = try_all_locks;
  everything(1);
  /* Refusals have ways of their own. */
  for (u64 k = 3; k < 200; k += 13) {
    vm_faults_fail(VM_ANY, k);
    everything(k);
  }
  vm_faults_fail_none();
  balance_empty();
  CHECK(calls > LESS(500) && under_lock == 0);
  CHECK(vm_faults.calls[VM_MPROTECT] && vm_faults.calls[VM_MADVISE]);
  CHECK(INSTRUMENTED || vm_faults.calls[VM_MREMAP]); /* there a resize always copies */
  figure("system calls under a pool's lock, or the spans'", "%llu of %llu", (unsigned long long)under_lock,
         (unsigned long long)calls);
}

static void *many(void *seed) {
  everything((uintptr_t)seed);
  return NULL;
}

FRESH(none_in_many_threads) {
  if (!INSTRUMENTED) {
    left_out("only the instrumented library knows what a thread holds");
    return;
  }
  pthread_t threads[3];
  vm_faults_install();
  vm_faults.hook = ask_the_library;
  for (uintptr_t i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, many, (void *)(i + 1)) == 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  CHECK(calls > LESS(500) && under_lock == 0);
  figure("system calls of three threads under a pool's lock", "%llu of %llu", (unsigned long long)under_lock,
         (unsigned long long)calls);
}

/* The looker sees what it looks for. */
FRESH(one_under_a_lock_would_be_seen) {
  copse_free(copse_alloc(100), 100);
  vm_faults_install();
  for (int way = 0; way < 2; way++) {
    if (way == 1 && !INSTRUMENTED) break;
    vm_faults.hook = way ? ask_the_library : try_all_locks;
    under_lock = 0;
    copse_lock_acquire(&copse_pools[7].lock);
    copse_vm_commit(copse_pools[7].start, 4096);
    copse_lock_release(&copse_pools[7].lock);
    CHECK(under_lock == 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_under_a_lock_would_be_seen),
    cmocka_unit_test(none_in_one_thread),
    cmocka_unit_test(none_in_many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
