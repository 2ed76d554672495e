/* SPDX-License-Identifier: MIT */
/*
 * misuse: the usable size of what was freed
 *
 * plain asan tsan msan valgrind: report  copse: copse_usable_size: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP size_t misuse_here(const char *p) { return copse_usable_size(p); }

int main(void) {
  char *p = allocate_here();
  if (MISUSED) free_here(p);
  death_seen = (int)misuse_here(p);
  free_here(p);
  return 0;
}
