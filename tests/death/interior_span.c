/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of a pointer into a span
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: not the start of an allocation
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(5000000); }
STEP void misuse_here(char *p) { copse_free(p, 5000000); }

int main(void) {
  char *p = allocate_here();
  misuse_here(MISUSED ? p + (2 << 20) : p);
  return 0;
}
