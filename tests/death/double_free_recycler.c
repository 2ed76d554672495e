/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free, while it lies in the recycler
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 *
 * Another thread freed it, with so many more that its bundles went to the recycler.
 */
#include "death.h"

enum { MANY = 700 };

static char *blocks[MANY];

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

static void *other(void *unused) {
  for (int i = 0; i < MANY; i++) free_here(blocks[i]);
  reach_release(1);
  await_acquire(2); /* its end would send its bundles home */
  return unused;
}

int main(void) {
  tune("quarantine", 0);
  for (int i = 0; i < MANY; i++) blocks[i] = allocate_here();
  pthread_t thread = begin(other, NULL);
  await_acquire(1);
  if (MISUSED) misuse_here(blocks[MANY / 2]);
  reach_release(2);
  end(thread);
  return 0;
}
