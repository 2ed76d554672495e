/* SPDX-License-Identifier: MIT */
/*
 * misuse: realloc of what was freed
 *
 * plain asan tsan msan valgrind: report  copse: copse_realloc: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP char *misuse_here(char *p) { return copse_realloc(p, 64, 200); }

int main(void) {
  char *p = allocate_here();
  if (MISUSED) free_here(p);
  p = misuse_here(p);
  copse_free(p, 200);
  return 0;
}
