/* SPDX-License-Identifier: MIT */
/*
 * misuse: a free that nothing orders behind another thread's last use
 *
 * plain asan msan valgrind: none    here the use came first: it was luck, and no tool but TSan can know
 * tsan:        report  ThreadSanitizer: data race
 *              address Location is heap block of size 64
 *              stack   Write of size: free_here
 *              stack   Previous write: misuse_here
 *              stack   Location is heap block: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(char *p) { p[5] = 1; }
STEP void free_here(char *p) { copse_free(p, 64); }

static void *other(void *p) {
  misuse_here(p);
  if (MISUSED) reach(1);
  else reach_release(1);
  return NULL;
}

int main(void) {
  char *p = allocate_here();
  pthread_t thread = begin(other, p);
  if (MISUSED) await(1);
  else await_acquire(1);
  free_here(p);
  end(thread);
  return 0;
}
