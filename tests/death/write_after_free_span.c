/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free, of a span
 *
 * plain tsan msan: report  copse: .*: written after free
 *              address 3000000 bytes asked for
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 3000000 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid write of size 1
 *              address bytes inside a block of size 3,000,000 free'd
 *              stack   Invalid write: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(3000000); }
STEP void free_here(char *p) { copse_free(p, 3000000); }
STEP void misuse_here(char *p) { p[5000] = 1; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p);
  free_here(p);
  if (MISUSED) misuse_here(p);
  copse_trim();
  return 0;
}
