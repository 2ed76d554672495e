/* SPDX-License-Identifier: MIT */
/*
 * misuse: two threads write a block at the same time
 *
 * plain asan msan valgrind: none    one access is as good as another: only TSan follows the order of threads
 * tsan:        report  ThreadSanitizer: data race
 *              address Location is heap block of size 64
 *              stack   Write of size 1: misuse_here
 *              stack   Previous write: first_here
 *              stack   Location is heap block: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void first_here(char *p) { p[5] = 1; }
STEP void misuse_here(char *p) { p[5] = 2; }

static void *other(void *p) {
  if (MISUSED) await(1);
  else await_acquire(1);
  misuse_here(p);
  return NULL;
}

int main(void) {
  char *p = allocate_here();
  pthread_t thread = begin(other, p);
  first_here(p);
  if (MISUSED) reach(1);
  else reach_release(1);
  end(thread);
  copse_free(p, 64);
  return 0;
}
