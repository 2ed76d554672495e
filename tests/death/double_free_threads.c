/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free, by two threads at the same time
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 64 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 *
 * Whichever comes second is told.
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }

static void *other(void *p) {
  reach(1);
  if (MISUSED) free_here(p);
  return NULL;
}

int main(void) {
  char *p = allocate_here();
  pthread_t thread = begin(other, p);
  await(1);
  free_here(p);
  end(thread);
  return 0;
}
