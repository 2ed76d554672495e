/* SPDX-License-Identifier: MIT */
/* What the tests of a pool's trim share: a pool whose every call is watched, outside the lock and on pages that nobody uses. */
#ifndef COPSE_TESTS_POOL_TRIM_HELP_H
#define COPSE_TESTS_POOL_TRIM_HELP_H

#include "pool_help.h"

#define MB ((u64)1 << 20)
#ifndef RESERVE
#define RESERVE ((u64)1 << 30)
#endif

enum { GIVE_BACK = 4, GIVE_BACK_LOCKED = 24 }; /* MADV_DONTNEED, MADV_DONTNEED_LOCKED */
static struct shadow s;
static bool watching;
static u64 calls_on_live, calls_under_lock, most_detached;
static void (*meanwhile)(void);

static inline void watch(const struct vm_record *call) {
  if (!watching || call->kind != VM_MADVISE || (call->advice != GIVE_BACK && call->advice != GIVE_BACK_LOCKED)) return;
  if (pthread_mutex_trylock(&s.pool->lock.mutex) == 0)
    pthread_mutex_unlock(&s.pool->lock.mutex);
  else
    calls_under_lock++;
  u64 first = (u64)((char *)call->address - s.pool->start) / s.pool->size;
  u64 last = (u64)((char *)call->address + call->length - 1 - s.pool->start) / s.pool->size;
  if ((char *)call->address < s.pool->start) first = 0;
  for (u64 slot = first; slot <= last && slot < s.known; slot++) calls_on_live += s.is_live[slot];
  most_detached = max_u64(most_detached, s.pool->detached);
  if (meanwhile) meanwhile();
}

/* Room for 512 slots of the class, and little more: an emulator may note each page of each reservation, and that for ever. */
static inline void begin_page(unsigned class, size_t page) {
  assert_true(core_up_page(max_u64(RESERVE, (u64)512 * ARENA_REGIONS * class_size(class)), page));
  vm_faults_install();
  vm_faults.hook = watch;
  shadow_make(&s, class);
  watching = true;
  meanwhile = NULL;
  calls_on_live = calls_under_lock = most_detached = 0;
}

static inline void begin(unsigned class) { begin_page(class, 0); }

static inline void end(void) {
  watching = false;
  assert_true(shadow_whole(&s));
  assert_int_equal(calls_on_live, 0);
  assert_int_equal(calls_under_lock, 0);
  vm_faults_remove();
  shadow_free(&s);
  core_down();
}

/* Behind a test that failed half-way. */
static inline int clean_up(void **state) {
  (void)state;
  watching = false;
  vm_faults_remove();
  core_down();
  return 0;
}

static inline u64 trim(u64 cooldown) {
  u64 before = copse_vm_counters.decommitted, bytes = copse_pool_trim(s.pool, cooldown);
  assert_int_equal(bytes, copse_vm_counters.decommitted - before);
  assert_int_equal(s.pool->detached, 0);
  assert_true(shadow_whole(&s));
  return bytes;
}

static inline void take_until(u64 live) {
  while (s.live < live) require(shadow_take(&s, (unsigned)min_u64(64, live - s.live)) == POOL_TAKEN);
}

static inline u64 trim_calls(u64 cooldown) {
  u64 before = vm_faults.calls[VM_ANY];
  trim(cooldown);
  return vm_faults.calls[VM_ANY] - before;
}

static inline void put_range(u64 from, u64 to) { shadow_put_range(&s, from, to); }

#endif
