/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of a global variable
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_unsized: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

static char global[64] __attribute__((aligned(16)));

STEP void misuse_here(void *p) { copse_free_unsized(p); }

int main(void) {
  misuse_here(MISUSED ? global : copse_alloc(64));
  return 0;
}
