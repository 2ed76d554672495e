/* SPDX-License-Identifier: MIT */
/*
 * misuse: write to a slot that was never handed out
 *
 * plain tsan msan: none    nothing is known of what such a slot should hold
 * asan:        report  AddressSanitizer: use-after-poison
 *              address never handed out
 *              stack   WRITE of size 1: misuse_here
 * valgrind:    report  Invalid write of size 1
 *              stack   Invalid write: misuse_here
 */
#include "death.h"

STEP void misuse_here(char *p) { p[20] = 1; }

int main(void) {
  char *p = copse_alloc(64), *q = copse_alloc(64);
  ptrdiff_t room = p < q ? q - p : p - q;
  misuse_here(MISUSED ? p + 40 * room : p);
  copse_free(p, 64);
  copse_free(q, 64);
  return 0;
}
