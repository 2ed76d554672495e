/* SPDX-License-Identifier: MIT */
/*
 * misuse: free without the alignment that was asked for
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: allocated with an alignment
 *              address 200 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc_aligned(200, 64); }
STEP void misuse_here(char *p) { copse_free(p, 200); }

int main(void) {
  char *p = allocate_here();
  if (MISUSED) misuse_here(p);
  copse_free_aligned(p, 200, 64);
  return 0;
}
