/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow of a block of no bytes
 *
 * plain tsan msan: report  copse: copse_free: written beyond its end
 *              address 1 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 1 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid write of size 1
 *              address 0 bytes after a block of size 1 alloc'd
 *              stack   Invalid write: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(0); }
STEP void free_here(char *p) { copse_free(p, 0); }
STEP void misuse_here(char *p) { p[1] = 1; }

int main(void) {
  char *p = allocate_here();
  if (MISUSED) misuse_here(p);
  free_here(p);
  return 0;
}
