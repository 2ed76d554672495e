/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block that stands twice in a batch
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_batch: freed before
 *              address 64 bytes asked for
 *              stack   here: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: misuse_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(void *const blocks[]) { copse_free_batch(64, 3, blocks); }

int main(void) {
  void *blocks[] = {allocate_here(), allocate_here(), allocate_here()};
  if (MISUSED) blocks[2] = blocks[0];
  misuse_here(blocks);
  return 0;
}
