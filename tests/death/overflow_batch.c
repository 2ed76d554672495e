/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow of an element of a batch
 *
 * plain tsan msan: report  copse: copse_free_batch: written beyond its end
 *              address 24 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 24 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid write of size 1
 *              address 0 bytes after a block of size 24 alloc'd
 *              stack   Invalid write: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

enum { MANY = 10 };

STEP void allocate_here(void *out[]) {
  if (copse_alloc_batch(24, MANY, out) != MANY) abort();
}
STEP void free_here(void *const blocks[]) { copse_free_batch(24, MANY, blocks); }
STEP void misuse_here(char *p, int i) { p[i] = 1; }

int main(void) {
  void *blocks[MANY];
  allocate_here(blocks);
  misuse_here(blocks[4], MISUSED ? 24 : 23);
  free_here(blocks);
  return 0;
}
