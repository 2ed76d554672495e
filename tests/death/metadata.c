/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block's word overwritten: a free slot that no chain knows of
 *
 * plain asan tsan msan valgrind: report  copse: broken invariant: .*valid
 */
#include "death.h"
#include "pool.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(const char *p) {
  struct pool *pool = &copse_pools[region_of(p)];
  /* The block of a frontier that is full has no free slot; this one gets one by force. */
  *pool_word(pool, pool_slot(pool, p) >> 6) = ~(u64)0;
}

int main(void) {
  char *p = allocate_here();
  if (MISUSED) misuse_here(p);
  copse_free(p, 64);
  copse_trim();
  return 0;
}
