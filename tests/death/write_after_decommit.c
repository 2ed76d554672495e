/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free, where the pages were given back
 *
 * plain tsan msan: none    the page is fresh again: nothing is remembered of what it held
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address inside of a 100000-byte
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid write of size 1
 *              stack   Invalid write: misuse_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(100000); }
STEP void free_here(char *p) { copse_free(p, 100000); }
STEP void misuse_here(char *p) { p[50000] = 1; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p);
  free_here(p);
  while (copse_trim()) continue;
  if (MISUSED) misuse_here(p);
  return 0;
}
