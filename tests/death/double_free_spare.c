/* SPDX-License-Identifier: MIT */
/*
 * misuse: double free, while it lies in the spare bundle
 *
 * plain asan tsan msan valgrind: report  copse: copse_free: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 */
#include "death.h"

enum { MANY = 150 }; /* more than a bundle of 64, less than three */

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(char *p) { copse_free(p, 64); }
STEP void misuse_here(char *p) { copse_free(p, 64); }

int main(void) {
  tune("quarantine", 0);
  char *blocks[MANY];
  for (int i = 0; i < MANY; i++) blocks[i] = allocate_here();
  for (int i = 0; i < MANY; i++) free_here(blocks[i]);
  if (MISUSED) misuse_here(blocks[30]);
  return 0;
}
