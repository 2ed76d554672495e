/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free, while it lies in the thread's bundle
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 *
 * The quarantine is off: the first free puts it where the next allocation finds it.
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

int main(void) {
  tune("quarantine", 0);
  char *p = allocate_here(), *q = allocate_here();
  free_here(p);
  free_here(q); /* the newest is held back in any case */
  if (MISUSED) misuse_here(p);
  return 0;
}
