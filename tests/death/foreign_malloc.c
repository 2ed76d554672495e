/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of what malloc gave
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_unsized: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

STEP void misuse_here(void *p) { copse_free_unsized(p); }

int main(void) {
  void *block = malloc(64);
  misuse_here(MISUSED ? block : copse_alloc(64));
  free(block);
  return 0;
}
