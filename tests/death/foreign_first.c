/* SPDX-License-Identifier: MIT */
/*
 * misuse: free before anything was allocated
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_unsized: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

STEP void misuse_here(void *p) { copse_free_unsized(p); }

int main(void) {
  if (MISUSED) misuse_here((void *)0x10000);
  return 0;
}
