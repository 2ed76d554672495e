/* SPDX-License-Identifier: MIT */
/*
 * misuse: realloc of NULL with an old size
 *
 * plain asan tsan msan valgrind: report  copse: copse_realloc: a NULL pointer
 *              stack   here: misuse_here
 */
#include "death.h"

STEP char *misuse_here(size_t size) { return copse_realloc(NULL, size, 64); }

int main(void) {
  char *p = misuse_here(MISUSED ? 32 : 0);
  copse_free(p, 64);
  return 0;
}
