/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free of a span
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 3000000 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(3000000); }
STEP void free_here(char *p) { copse_free(p, 3000000); }
STEP void misuse_here(char *p) { copse_free(p, 3000000); }

int main(void) {
  char *p = allocate_here();
  free_here(p);
  if (MISUSED) misuse_here(p);
  return 0;
}
