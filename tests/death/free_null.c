/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of NULL
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: a NULL pointer
 *              stack   here: misuse_here
 */
#include "death.h"

STEP void misuse_here(void *p) { copse_free(p, 64); }

int main(void) {
  misuse_here(MISUSED ? NULL : copse_alloc(64));
  return 0;
}
