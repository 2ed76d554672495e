/* SPDX-License-Identifier: MIT */
/* A pool's blocks, copied some at a time for walk.c: only the words are read under the lock. */
#include "pool.h"

size_t copse_pool_look(struct pool *p, u64 block, struct copse_block *out, size_t room) {
  copse_lock_acquire(&p->lock);
  u64 frontier = p->frontier, blocks = pool_known(p);
  size_t n = block < blocks ? min_u64(room, blocks - block) : 0;
  for (size_t i = 0; i < n; i++) {
    u64 free = *pool_word(p, block + i);
    out[i].free = free;
    if (p->slotwise)
      out[i].bare = *pool_bare(p, block + i);
    else
      out[i].bare = chain_has(&p->chains[BARE], block + i) ? free : 0;
  }
  copse_lock_release(&p->lock);
  for (size_t i = 0; i < n; i++) {
    u64 slot = 64 * (block + i);
    out[i].address = pool_address(p, slot);
    out[i].size = p->size;
    out[i].slots = (u32)min_u64(64, frontier - slot);
    out[i].size_class = (u16)p->class;
    out[i].arena = (u16)region_arena(p->region);
  }
  return n;
}
