/* SPDX-License-Identifier: MIT */
/*
 * misuse: free with a size of the neighbouring class
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: not the size asked for
 *              address 112 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(112); }
STEP void misuse_here(char *p, size_t size) { copse_free(p, size); }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 128 : 112);
  return 0;
}
