/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block that is never freed, with "leaks" at 2
 *
 * plain asan tsan msan: report  copse: never freed
 *              address 64 bytes in 1 blocks
 *              stack   blocks, allocated here: allocate_here
 * valgrind:    report  64 bytes in 1 blocks are definitely lost
 *              stack   definitely lost: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }

int main(void) {
  tune("leaks", 2);
  char *p = allocate_here();
  if (!MISUSED) copse_free(p, 64);
  return 0;
}
