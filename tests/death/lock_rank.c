/* SPDX-License-Identifier: MIT */
/*
 * misuse: locks of copse's taken against their ranks
 *
 * plain asan tsan msan valgrind: report  copse: broken invariant
 */
#include "death.h"
#include "lock.h"
#include "pool.h"

extern struct lock copse_start_lock;

STEP void misuse_here(struct lock *first, struct lock *second) {
  copse_lock_acquire(first);
  copse_lock_acquire(second);
  copse_lock_release(second);
  copse_lock_release(first);
}

int main(void) {
  copse_free(copse_alloc(64), 64);
  struct lock *high = &copse_pools[3].lock, *low = &copse_start_lock;
  misuse_here(MISUSED ? high : low, MISUSED ? low : high);
  return 0;
}
