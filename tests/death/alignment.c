/* SPDX-License-Identifier: MIT */
/*
 * misuse: free with an alignment that was not asked for
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_aligned: not the alignment asked for
 *              address 200 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc_aligned(200, 64); }
STEP void misuse_here(char *p, size_t alignment) { copse_free_aligned(p, 200, alignment); }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 32 : 64);
  return 0;
}
