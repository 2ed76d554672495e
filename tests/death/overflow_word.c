/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow by a word, into the slack of the class
 *
 * plain tsan msan: report  copse: copse_free: written beyond its end
 *              address 136 bytes asked for
 *              stack   here: free_here
 *              stack   allocated by: allocate_here
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 136 bytes
 *              stack   WRITE of size 8: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid write of size 8
 *              address 0 bytes after a block of size 136 alloc'd
 *              stack   Invalid write: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP uint64_t *allocate_here(void) { return copse_alloc(136); }
STEP void free_here(uint64_t *p) { copse_free(p, 136); }
STEP void misuse_here(uint64_t *p, int i) { p[i] = 1; }

int main(void) {
  uint64_t *p = allocate_here();
  misuse_here(p, MISUSED ? 17 : 16);
  free_here(p);
  return 0;
}
