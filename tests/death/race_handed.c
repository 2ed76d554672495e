/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block that is handed to another thread without synchronisation
 *
 * plain asan msan valgrind: none    one access is as good as another: only TSan follows the order of threads
 * tsan:        report  ThreadSanitizer: data race
 *              address Location is heap block of size 64
 *              stack   Read of size 1: misuse_here
 *              stack   Previous write: first_here
 *              stack   Location is heap block: allocate_here
 */
#include "death.h"

static char *shared;

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void first_here(char *p) { p[5] = 1; }
STEP void misuse_here(const char *p) { death_seen = p[5]; }

static void *other(void *unused) {
  /* Both pair with the store in main; the relaxed one is the fault. */
  int order = MISUSED ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE;
  char *p;
  while (!(p = order == __ATOMIC_ACQUIRE ? __atomic_load_n(&shared, __ATOMIC_ACQUIRE) : __atomic_load_n(&shared, __ATOMIC_RELAXED)))
    sched_yield();
  misuse_here(p);
  return unused;
}

int main(void) {
  pthread_t thread = begin(other, NULL);
  char *p = allocate_here();
  first_here(p);
  if (MISUSED) __atomic_store_n(&shared, p, __ATOMIC_RELAXED);
  else __atomic_store_n(&shared, p, __ATOMIC_RELEASE);
  end(thread);
  copse_free(p, 64);
  return 0;
}
