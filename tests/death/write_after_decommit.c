/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free, where the pages were given back
 *
 * plain tsan msan: report  copse: copse_alloc: written after free
 *              address is 50000 bytes inside a block of 100000 bytes
 *              stack   here: allocate_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 100000 bytes
 *              address freed, and its pages given back
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid write of size 1
 *              address bytes inside a block of size 100,000 free'd
 *              stack   Invalid write: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 *
 * In plain it is found when the block is handed out again: of a page that was given back all bytes are zero.
 */
#include "death.h"

enum { MANY = 64 };

STEP char *allocate_here(void) { return copse_alloc(100000); }
STEP void free_here(char *p) { copse_free(p, 100000); }
STEP void misuse_here(char *p) { p[50000] = 1; }

int main(void) {
  char *p = allocate_here(), *blocks[MANY];
  misuse_here(p);
  free_here(p);
  while (copse_trim()) continue;
  if (MISUSED) misuse_here(p);
  for (int i = 0; i < MANY; i++) blocks[i] = allocate_here();
  for (int i = 0; i < MANY; i++) free_here(blocks[i]);
  return 0;
}
