/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow by one byte of a size that fills a class
 *
 * plain tsan msan: report  copse: copse_free: written beyond its end
 *              address 64 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 64 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid write of size 1
 *              address 0 bytes after a block of size 64 alloc'd
 *              stack   Invalid write: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p, int i) { p[i] = 1; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 64 : 63);
  free_here(p);
  return 0;
}
