/* SPDX-License-Identifier: MIT */
/*
 * misuse: write after free, once the block has left the quarantine
 *
 * plain tsan msan: none    nothing is looked at again until the block is handed out, and then its bytes are anybody's
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address inside of a 64-byte
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid write of size 1
 *              stack   Invalid write: misuse_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { p[5] = 1; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p);
  free_here(p);
  copse_trim(); /* empties the quarantine */
  if (MISUSED) misuse_here(p);
  return 0;
}
