/* SPDX-License-Identifier: MIT */
/*
 * misuse: a decision by what an earlier owner of the block left in it
 *
 * plain asan tsan: none    these keep no record of what was written
 * msan:        report  MemorySanitizer: use-of-uninitialized-value
 *              stack   use-of-uninitialized-value: misuse_here
 *              stack   marked as uninitialized: allocate_here
 * valgrind:    report  Conditional jump or move depends on uninitialised value
 *              stack   Conditional jump: misuse_here
 *              stack   created by: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(const char *p) {
  if (p[5] == 7) death_seen++;
}

int main(void) {
  char *p = copse_alloc(64);
  memset(p, 1, 64);
  copse_free(p, 64);
  copse_trim();
  p = MISUSED ? allocate_here() : copse_alloc_zeroed(64);
  misuse_here(p);
  copse_free(p, 64);
  return 0;
}
