/* SPDX-License-Identifier: MIT */
/*
 * Growth, backwards: the bare end of a pool is taken out of its words under the lock, loses its access outside, and the frontier
 * falls back.  Only before memory is said to be out: what is accessible counts against RLIMIT_DATA and overcommit 2, whether it has
 * pages or not, and another class may need it.
 */
#include "pool.h"
#include "check.h"
#include "vm.h"

/* Blocks that one lock hold takes out at most. */
enum { SHRINK_BLOCKS = 4096 };

/* The first slot of the bare ones directly below `to`, in one block. */
static u64 bare_from_locked(struct pool *p, u64 to) {
  u64 block = (to - 1) >> 6, base = block << 6;
  u64 bare = p->slotwise ? *pool_bare(p, block) : chain_has(&p->chains[BARE], block) ? *pool_word(p, block) : 0;
  u64 other = ~bare & low_bits((unsigned)(to - base));
  u64 from = other ? base + highest_bit(other) + 1 : base;
  /* Explicit huge pages are never given back. */
  return from < p->huge.to && to > p->huge.from ? min_u64(max_u64(from, p->huge.to), to) : from;
}

static bool unpublish_locked(struct pool *p, struct growth *g) {
  u64 to = p->frontier, from = to;
  /* Not while its last blocks are some grower's. */
  if (pool_known(p) != pool_blocks(p)) return false;
  while (from > 0 && to - from < SHRINK_BLOCKS * 64) {
    u64 next = bare_from_locked(p, from);
    if (next == from) break;
    from = next;
    if (from & 63) break;
  }
  from = round_up(from, pool_unit(p));
  if (from >= to) return false;
  *g = (struct growth){.range = {from, to}};
  for (u64 slot = from; slot < to;) {
    u64 block = slot >> 6, end = min_u64(to, (block + 1) << 6);
    u64 mask = low_bits((unsigned)(end - slot)) << (slot & 63), *word = pool_word(p, block);
    must((*word & mask) == mask);
    *word &= ~mask;
    if (p->slotwise) *pool_bare(p, block) &= ~mask;
    if (!*word) chain_clear(&p->chains[BARE], block);
    slot = end;
  }
  p->uncommitted += to - from;
  p->pending++;
  return true;
}

u64 copse_pool_shrink(struct pool *p) {
  struct growth g;
  u64 bytes = 0;
  for (bool going = true; going;) {
    copse_lock_acquire(&p->lock);
    going = unpublish_locked(p, &g);
    copse_lock_release(&p->lock);
    if (!going) break;
    u64 length = (g.range.to - g.range.from) * p->size;
    /* Its pages were given back, and counted, before, or never came. */
    going = copse_vm_uncommit_uncounted(pool_address(p, g.range.from), length);
    copse_lock_acquire(&p->lock);
    if (going) copse_pool_rollback_locked(p, &g);
    else copse_pool_publish_locked(p, &g, 0);
    copse_lock_release(&p->lock);
    if (going) bytes += length;
  }
  return bytes;
}
