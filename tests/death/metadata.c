/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block's word overwritten: its free slots are gone
 *
 * plain asan tsan msan valgrind: report  copse: broken invariant: copse_pool_valid
 */
#include "death.h"
#include "pool.h"

STEP char *allocate_here(void) { return copse_alloc(64); }
STEP void misuse_here(const char *p) {
  struct pool *pool = &copse_pools[region_of(p)];
  *pool_word(pool, pool_slot(pool, p) >> 6) = 0;
}

int main(void) {
  char *p = allocate_here();
  copse_free(p, 64);
  copse_trim();
  if (MISUSED) misuse_here(p);
  copse_trim();
  return 0;
}
