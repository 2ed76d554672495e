/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow of an aligned block
 *
 * plain tsan msan: report  copse: copse_free_aligned: written beyond its end
 *              address 200 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 200 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid write of size 1
 *              address 0 bytes after a block of size 200 alloc'd
 *              stack   Invalid write: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc_aligned(200, 256); }
STEP void free_here(char *p) { copse_free_aligned(p, 200, 256); }
STEP void misuse_here(char *p, int i) { p[i] = 1; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 200 : 199);
  free_here(p);
  return 0;
}
