/* SPDX-License-Identifier: MIT */
/*
 * misuse: a race of the program's own that the allocator's locks could hide
 *
 * plain asan msan valgrind: none    one access is as good as another: only TSan follows the order of threads
 * tsan:        report  ThreadSanitizer: data race
 *              address Location is global 'shared'
 *              stack   Write of size 4: misuse_here
 *              stack   Previous write: first_here
 *
 * Between the two writes both threads go through the same lock of copse's, one after the other.
 */
#include "death.h"

int shared;

STEP void first_here(void) { shared = 1; }
STEP void misuse_here(void) { shared = 2; }

/* Through the lock of a pool: what was freed goes home, what is wanted next comes from there. */
static void through_the_lock(void) {
  copse_free(copse_alloc(64), 64);
  copse_trim();
}

static void *other(void *unused) {
  if (MISUSED) await(1);
  else await_acquire(1);
  through_the_lock();
  misuse_here();
  return unused;
}

int main(void) {
  through_the_lock();
  pthread_t thread = begin(other, NULL);
  first_here();
  through_the_lock();
  if (MISUSED) reach(1);
  else reach_release(1);
  end(thread);
  return 0;
}
