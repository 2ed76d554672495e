/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of a pointer into a block
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: not the start of an allocation
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

int main(void) {
  char *p = allocate_here();
  misuse_here(MISUSED ? p + 16 : p);
  return 0;
}
