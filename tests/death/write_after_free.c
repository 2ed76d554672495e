/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free
 *
 * plain tsan msan: report  copse: .*: written after free
 *              address 64 bytes asked for
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 64 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid write of size 1
 *              address bytes inside a block of size 64 free'd
 *              stack   Invalid write: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 *
 * In plain the write is found when the block leaves the quarantine: here by the trim.
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { p[5] = 1; }

int main(void) {
  char *p = allocate_here();
  memset(p, 0, 64);
  free_here(p);
  if (MISUSED) misuse_here(p);
  copse_trim();
  return 0;
}
