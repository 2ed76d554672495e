/* SPDX-License-Identifier: MIT */
/* Counting a pool's slots block by block, and asking whether it is whole. */
#include "pool.h"
#include "atomic.h"
#include "check.h"

/* Blocks that one lock hold counts. */
enum { COUNT_BLOCKS = 4096 };

void copse_pool_count(struct pool *p, struct pool_count *count) {
  *count = (struct pool_count){0};
  u64 block = 0;
  copse_lock_acquire(&p->lock);
  for (;;) {
    u64 blocks = pool_known(p), end = min_u64(blocks, block + COUNT_BLOCKS);
    for (; block < end; block++) {
      u64 free = *pool_word(p, block);
      count->free += count_bits(free);
      if (p->slotwise)
        count->bare += count_bits(*pool_bare(p, block));
      else if (chain_has(&p->chains[BARE], block))
        count->bare += 64;
    }
    if (block >= blocks) break;
    copse_lock_release(&p->lock);
    copse_lock_acquire(&p->lock);
  }
  count->blocks = pool_blocks(p);
  count->detached = p->detached;
  count->uncommitted = p->uncommitted;
  count->lost = p->lost;
  count->locked = p->locked;
  copse_lock_release(&p->lock);
}

/* The one chain that the block should stand in; the two vacant ones count as one. */
static unsigned wanted_chains(struct pool *p, u64 block) {
  u64 free = *pool_word(p, block);
  unsigned vacant = 1u << VACANT_A | 1u << VACANT_B;
  if (!free) return 0;
  if (p->slotwise) return free & ~*pool_bare(p, block) ? vacant : 1u << BARE;
  return free == ~(u64)0 ? vacant | 1u << BARE : 1u << PARTIAL;
}

static bool block_valid(struct pool *p, u64 block) {
  unsigned found = 0;
  for (unsigned i = 0; i < CHAINS; i++)
    if (chain_has(&p->chains[i], block)) found |= 1u << i;
  unsigned wanted = wanted_chains(p, block);
  if (p->slotwise && *pool_bare(p, block) & ~*pool_word(p, block)) return false;
  return wanted ? count_bits(found) == 1 && (found & wanted) : !found;
}

bool copse_pool_valid(struct pool *p) {
  bool valid = true;
  copse_lock_acquire(&p->lock);
  u64 blocks = pool_known(p), free = 0;
  for (u64 block = 0; block < blocks; block++) {
    valid = valid && block_valid(p, block);
    free += count_bits(*pool_word(p, block));
  }
  for (unsigned i = 0; i < CHAINS; i++) valid = valid && copse_bit_tree_valid(p->chains[i].first);
  valid = valid && free + p->detached + p->uncommitted + p->lost <= 64 * pool_blocks(p) && p->frontier <= p->slots_max;
  copse_lock_release(&p->lock);
  return valid;
}

#if INSTRUMENTED
void copse_pool_check_next(void) {
  static unsigned turn;
  /* relaxed: whose turn it is matters little. */
  must(copse_pool_valid(&copse_pools[add_relaxed(&turn, 1u) % CLASSES]));
}
#endif
