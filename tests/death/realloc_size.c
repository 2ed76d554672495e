/* SPDX-License-Identifier: MIT */
/*
 * misuse: realloc with a wrong old size
 *
 * plain asan tsan msan valgrind: report  copse: copse_realloc: not the size asked for
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP char *misuse_here(char *p, size_t size) { return copse_realloc(p, size, 200); }

int main(void) {
  char *p = misuse_here(allocate_here(), MISUSED ? 60 : 64);
  copse_free(p, 200);
  return 0;
}
