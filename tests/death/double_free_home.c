/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free, once it has gone home to its pool
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

int main(void) {
  char *p = allocate_here();
  free_here(p);
  copse_trim();
  copse_thread_flush();
  if (MISUSED) misuse_here(p);
  return 0;
}
