/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of an address in another class's region
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

STEP char *allocate_here(size_t size) { return copse_alloc(size); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

/* One region further, from one class's block by as much as two others are apart: no block was ever handed out there. */
int main(void) {
  char *p = allocate_here(64), *q = allocate_here(1000);
  if (MISUSED) misuse_here(q + ((q - p) & -((ptrdiff_t)1 << 21)));
  copse_free(q, 1000);
  copse_free(p, 64);
  return 0;
}
