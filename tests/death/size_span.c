/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of a span with another size
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: not the size asked for
 *              address 3000000 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(3000000); }
STEP void misuse_here(char *p, size_t size) { copse_free(p, size); }

int main(void) {
  char *p = allocate_here();
  misuse_here(p, MISUSED ? 64 : 3000000);
  return 0;
}
