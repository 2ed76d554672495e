/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of a slot that was never handed out
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

int main(void) {
  char *p = allocate_here(), *q = allocate_here();
  ptrdiff_t room = p < q ? q - p : p - q;
  if (MISUSED) misuse_here(p + 40 * room);
  copse_free(p, 64);
  copse_free(q, 64);
  return 0;
}
