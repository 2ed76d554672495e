/* SPDX-License-Identifier: MIT */
/*
 * misuse: write through the pointer that realloc was given
 *
 * plain tsan msan: report  copse: .*: written after free
 *              address 40 bytes asked for
 *              stack   allocated by: allocate_here
 *              stack   freed by: resize_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 40 bytes
 *              stack   WRITE of size 1: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: resize_here
 * valgrind:    report  Invalid write of size 1
 *              address bytes inside a block of size 40 free'd
 *              stack   Invalid write: misuse_here
 *              stack   free'd: resize_here
 *              stack   alloc'd: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(40); }
STEP char *resize_here(char *p) { return copse_realloc(p, 40, 41); }
STEP void misuse_here(char *p) { p[5] = 1; }

int main(void) {
  char *p = allocate_here();
  memset(p, 0, 40);
  char *q = resize_here(p);
  misuse_here(MISUSED ? p : q);
  copse_free(q, 41);
  copse_trim();
  return 0;
}
