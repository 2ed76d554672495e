/* SPDX-License-Identifier: MIT */
/*
 * misuse: a local variable in a batch
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_batch: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(void *const blocks[]) { copse_free_batch(64, 3, blocks); }

int main(void) {
  char local[64] __attribute__((aligned(16)));
  void *blocks[] = {allocate_here(), allocate_here(), allocate_here()};
  if (MISUSED) blocks[1] = local;
  misuse_here(blocks);
  return 0;
}
