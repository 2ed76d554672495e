/* SPDX-License-Identifier: MIT */
/*
 * misuse: a span that is never freed, with "leaks" at 2
 *
 * plain asan tsan msan: report  copse: never freed
 *              address 3000000 bytes in 1 blocks
 *              stack   blocks, allocated here: allocate_here
 * valgrind:    report  3,000,000 bytes in 1 blocks are definitely lost
 *              stack   definitely lost: allocate_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(3000000); }

int main(void) {
  tune("leaks", 2);
  char *p = allocate_here();
  if (!MISUSED) copse_free(p, 3000000);
  return 0;
}
