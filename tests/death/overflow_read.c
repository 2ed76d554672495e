/* SPDX-License-Identifier: MIT */
/*
 * misuse: overflow by one byte, read
 *
 * plain tsan msan: none    a load leaves no trace
 * asan:        report  AddressSanitizer: heap-buffer-overflow
 *              address is 0 bytes after a block of 100 bytes
 *              stack   READ of size 1: misuse_here
 *              stack   allocated by: allocate_here
 * valgrind:    report  Invalid read of size 1
 *              address 0 bytes after a block of size 100 alloc'd
 *              stack   Invalid read: misuse_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc_zeroed(100); }
STEP void free_here(char *p) { copse_free(p, 100); }
/* Nothing is decided by it, and it is not returned, which clang 19's MemorySanitizer looks at. */
STEP void misuse_here(const char *p, int i) { death_seen = p[i]; }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 100 : 99);
  free_here(p);
  return 0;
}
