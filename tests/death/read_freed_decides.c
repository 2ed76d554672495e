/* SPDX-License-Identifier: MIT */
/*
 * misuse: a decision by bytes read after the free
 *
 * plain tsan:  none    a load leaves no trace
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 64 bytes
 *              stack   READ of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * msan:        report  MemorySanitizer: use-of-uninitialized-value
 *              stack   use-of-uninitialized-value: misuse_here
 *              stack   marked as uninitialized: free_here
 * valgrind:    report  Invalid read of size 1
 *              address bytes inside a block of size 64 free'd
 *              stack   Invalid read: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(const char *p) {
  if (p[5] == 7) death_seen++;
}

int main(void) {
  char *p = allocate_here();
  memset(p, 1, 64);
  misuse_here(p);
  free_here(p);
  if (MISUSED) misuse_here(p);
  return 0;
}
