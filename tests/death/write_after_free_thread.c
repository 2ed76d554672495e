/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free, by another thread
 *
 * plain msan:  report  copse: .*: written after free
 *              address 64 bytes asked for
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 64 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * tsan:        report  ThreadSanitizer: data race
 *              address Location is heap block of size 64
 *              stack   Write of size 1: misuse_here
 *              stack   Previous write: free_here
 *              stack   Location is heap block: allocate_here
 * valgrind:    report  Invalid write of size 1
 *              address bytes inside a block of size 64 free'd
 *              stack   Invalid write: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { p[5] = 1; }

static void *other(void *p) {
  if (MISUSED) {
    await(1);
    misuse_here(p);
    reach(2);
  } else {
    misuse_here(p);
    reach_release(2);
  }
  return NULL;
}

int main(void) {
  char *p = allocate_here();
  pthread_t thread = begin(other, p);
  if (MISUSED) {
    free_here(p);
    reach(1);
    await(2);
  } else {
    await_acquire(2);
    free_here(p);
  }
  copse_trim();
  end(thread);
  return 0;
}
