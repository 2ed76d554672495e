/* SPDX-License-Identifier: MIT */
/*
 * Giving a pool's pages back.  Under the lock free bits are taken out of the words ("detached": the trim owns those
 * slots); outside, the pages that lie wholly inside what is owned are given back; under the lock the bits return.
 * Each lock hold looks at a bounded number of blocks, and detaches TRIM_BATCH bytes at most: a little more where only there
 * a page ends, and at least one slot.
 * A block is asked for once: until a slot of it comes free again (`changed`), or one of a block that it shares a page with.
 * With a cooldown each trim has a number, which it notes in the blocks that changed since the one before; they are due when that
 * is old enough.
 */
#include "pool_piece.h"
#include "atomic.h"
#include "check.h"
#include "tunables.h"
#include "vm.h"

enum { PIECES = TRIM_BLOCKS + 64 };

/* Blocks whose `since` is made accessible at a time: 64 KB. */
enum { SINCE_BLOCKS = 16384 };

/* A batch ends where a block ends on a page, which every 64th one does, of 64 KB too. */
static bool batch_full(const struct pool *p, unsigned n, u64 bytes, u64 next_block) {
  if (n < TRIM_BLOCKS && bytes < TRIM_BATCH) return false;
  return ((uptr)pool_address(p, next_block << 6) & (copse_vm_facts.page - 1)) == 0 || bytes >= 2 * TRIM_BATCH;
}

/* Explicit huge pages are never given back. */
static bool backed_huge(const struct pool *p, u64 block) {
  return block << 6 < p->huge.to && (block + 1) << 6 > p->huge.from;
}

static void remove_locked(struct pool *p, u64 block) {
  for (unsigned i = 0; i < CHAINS; i++)
    if (chain_has(&p->chains[i], block)) chain_clear(&p->chains[i], block);
}

/* The blocks that have bytes on the pages of bytes [at, end) of a pool. */
static struct slot_range blocks_between(u64 bytes, u64 at, u64 end) {
  u64 page = copse_vm_facts.page;
  return (struct slot_range){round_down(at, page) / bytes, (round_up(end, page) - 1) / bytes + 1};
}

static struct slot_range blocks_on_pages(struct pool *p, u64 block) {
  u64 bytes = 64 * p->size;
  struct slot_range near = blocks_between(bytes, block * bytes, (block + 1) * bytes);
  return (struct slot_range){near.from, min_u64(near.to, pool_known(p))};
}

static bool bare_locked(struct pool *p, u64 block) { return chain_has(&p->chains[BARE], block); }

static bool changed_locked(struct pool *p, u64 block) { return *pool_changed(p, block) >> (block & 63) & 1; }

/* Whether a block's free memory is wanted back by now: that which came free in it has been for `cooldown` trims. */
static bool due_locked(struct pool *p, u64 block, u64 cooldown) {
  bool stamped = block < p->since_ready && p->since[block];
  if (!cooldown) return stamped || changed_locked(p, block);
  return stamped && !changed_locked(p, block) && p->tick - p->since[block] >= cooldown;
}

/* What of a block is free and may have pages: of one that is not slotwise all or, in the sense of a sweep over vacant ones, none. */
static u64 idle_locked(struct pool *p, u64 block) {
  u64 free = *pool_word(p, block);
  if (p->slotwise) {
    /* With what came along on huge pages, which is not told from what is bare. */
    u64 warm = free & ~*pool_bare(p, block);
    return warm && p->advised ? free : warm;
  }
  return free == ~(u64)0 ? free : 0;
}

/*
 * Where all blocks that have a part of the page that this byte of the pool is on are free, and none is wanted back: has one of those looked
 * at again that are not bare, or else `bare`; it takes the others with it.  CHAIN_NONE: what is bare does not matter.
 */
static void recall_locked(struct pool *p, u64 byte, u64 bare) {
  struct slot_range on = blocks_between(64 * p->size, byte, byte + 1);
  u64 found = bare;
  if (on.to > pool_known(p)) return;
  for (u64 block = on.from; block < on.to; block++) {
    if (*pool_word(p, block) != ~(u64)0 || due_locked(p, block, 0) || backed_huge(p, block)) return;
    if (!bare_locked(p, block)) found = block;
  }
  if (found != CHAIN_NONE) pool_again_locked(p, found);
}

/*
 * Whether something on the pages of what was returned, of a part of a block, stays although it could go by now: while this trim had its
 * slots another one had, and returned, the rest of a page, or of the block, and neither knew of all of it.
 */
static bool missed_locked(struct pool *p, const struct piece *piece) {
  u64 block = piece->block, mask = piece->mask, free = *pool_word(p, block), unit = pool_unit(p);
  if (!p->slotwise) return mask != ~(u64)0 && (((mask & low_bits(63)) << 1 | mask >> 1) & free & ~mask);
  u64 warm = free & ~*pool_bare(p, block), others = free & ~mask;
  for (unsigned at = 0; at < 64; at += (unsigned)unit) {
    u64 pages = low_bits((unsigned)unit) << at;
    if (warm & pages && mask & pages && others & pages) return true;
  }
  return false;
}

/* The same of a whole block, which shares its first and its last page. */
static void recall_missed_locked(struct pool *p, const struct piece *piece) {
  u64 bytes = 64 * p->size, first = piece->block * bytes, bare = piece->wanted && p->advised ? piece->block : CHAIN_NONE;
  if (!(piece->bare & 1)) recall_locked(p, first, bare);
  if (!(piece->bare >> 63)) recall_locked(p, first + bytes - 1, bare);
}

static void return_locked(struct pool *p, const struct piece *piece) {
  u64 *word = pool_word(p, piece->block);
  must(!(*word & piece->mask));
  p->detached -= count_bits(piece->mask);
  remove_locked(p, piece->block);
  *word |= piece->mask;
  u64 bare = piece->bare | piece->was_bare;
  if (p->slotwise) {
    *pool_bare(p, piece->block) |= bare;
  } else if (piece->mask != ~(u64)0 || bare != ~(u64)0) {
    bare = 0;
  }
  copse_vm_uncharge(count_bits(bare & ~piece->was_bare) * p->size);
  if (bare && !p->slotwise)
    chain_set(&p->chains[BARE], piece->block);
  else
    copse_pool_place_locked(p, piece->block);
  /* What came free in it meanwhile did not make it vacant. */
  if (p->advised && !p->slotwise && piece->mask != ~(u64)0 && *word == ~(u64)0) copse_pool_mark_huge_locked(p, piece->block, false);
  p->marked = CHAIN_NONE; /* if its huge page was marked meanwhile, it was not, being in no chain */
  /* What is bare is looked for where something may have come along only; what was refused with it is not bare. */
  bool sought = p->slotwise || p->advised || !bare_locked(p, piece->block);
  /* What waited for its cooldown went with the rest, and is bare. */
  bool stamped = p->advised && bare_locked(p, piece->block) && due_locked(p, piece->block, 0);
  bool late = p->advised && pool_late(p, piece->block);
  if ((piece->refused && sought) || stamped || late || missed_locked(p, piece)) pool_again_locked(p, piece->block);
  if (!p->slotwise && piece->mask == ~(u64)0) recall_missed_locked(p, piece);
  pool_late_over(p);
}

static void detach_locked(struct pool *p, u64 block, u64 mask, struct piece *piece) {
  u64 was_bare = p->slotwise ? mask & *pool_bare(p, block) : chain_has(&p->chains[BARE], block) ? mask : 0;
  *piece = (struct piece){block, mask, was_bare, 0, due_locked(p, block, 0), false};
  if (p->slotwise) *pool_bare(p, block) &= ~mask;
  remove_locked(p, block);
  *pool_word(p, block) &= ~mask;
  p->detached += count_bits(mask);
  copse_pool_place_locked(p, block);
}

/* Of a block in use: the free slots in runs that hold a whole page. */
static u64 page_runs(const struct pool *p, u64 block, u64 free) {
  u64 found = 0;
  while (free) {
    unsigned low = lowest_bit(free);
    u64 rest = ~(free >> low);
    unsigned length = rest ? lowest_bit(rest) : 64;
    if (length > 64 - low) length = 64 - low;
    u64 run = low_bits(length) << low, slot = (block << 6) + low;
    uptr from = round_up((uptr)pool_address(p, slot), copse_vm_facts.page);
    if (from < round_down((uptr)pool_address(p, slot + length), copse_vm_facts.page)) found |= run;
    free &= ~run;
  }
  return found;
}

/* Of a pool that is not slotwise: whether all of a block is free, and nothing of it is wanted back: it has given what it could. */
static bool spent_locked(struct pool *p, u64 block) {
  return bare_locked(p, block) || (idle_locked(p, block) && !due_locked(p, block, 0) && !backed_huge(p, block));
}

/*
 * Detaches a block, and those directly before and behind it that it shares pages with and of which nothing is wanted: one that is
 * bare for want of use may have a part of a page that came with its neighbour's; one that was given back, or all of whose own pages
 * were, completes the page, as its own neighbours do for it.
 * Returns how many pieces there are by now; as many as before where there is no room for all of them: they go with the next batch.
 */
static unsigned detach_with_neighbours_locked(struct pool *p, u64 block, u64 mask, struct piece *pieces, unsigned n) {
  if (p->slotwise || mask != ~(u64)0) {
    detach_locked(p, block, mask, &pieces[n++]);
    return n;
  }
  struct slot_range near = blocks_on_pages(p, block);
  u64 from = block, to = block + 1;
  for (; from > near.from && spent_locked(p, from - 1) && block - from < PIECES; from--)
    if (!bare_locked(p, from - 1)) near.from = blocks_on_pages(p, from - 1).from;
  if (block - from >= PIECES) from = block;
  for (; to < near.to && to - from < PIECES && spent_locked(p, to); to++)
    if (!bare_locked(p, to)) near.to = blocks_on_pages(p, to).to;
  if (to - from > PIECES - n) return n;
  for (; from < to; from++) detach_locked(p, from, ~(u64)0, &pieces[n++]);
  return n;
}

/* Nothing of it is wanted back until something comes free. */
static void settle_locked(struct pool *p, u64 block) {
  *pool_changed(p, block) &= ~((u64)1 << (block & 63));
  if (block < p->since_ready) p->since[block] = 0;
  p->marked = CHAIN_NONE; /* it may be one of those */
}

/*
 * Whether an idle block is to go: it is due, or nothing of it is wanted, but of another idle one on its pages is: then a page may
 * be whole that was not.
 */
static bool goes_locked(struct pool *p, u64 block, u64 cooldown, const struct piece *pieces, unsigned n) {
  if (due_locked(p, block, cooldown)) return true;
  if (due_locked(p, block, 0)) return false; /* but not yet */
  struct slot_range near = blocks_on_pages(p, block);
  for (u64 b = near.from; b < near.to; b++)
    if (due_locked(p, b, cooldown) && idle_locked(p, b)) return true;
  /* Or is in the same batch. */
  while (n-- && pieces[n].block >= near.from)
    if (due_locked(p, pieces[n].block, cooldown)) return true;
  return false;
}

enum sweep { SWEEP_OLD, SWEEP_YOUNG, SWEEP_PARTIAL, SWEEP_BARE };

/* What of this block is to be detached now, behind pieces[0..n) of the same batch. */
static u64 choose_locked(struct pool *p, enum sweep sweep, u64 block, u64 cooldown, const struct piece *pieces, unsigned n) {
  if (backed_huge(p, block)) return 0;
  if (sweep == SWEEP_BARE) return *pool_word(p, block);
  if (sweep != SWEEP_PARTIAL) return goes_locked(p, block, cooldown, pieces, n) ? idle_locked(p, block) : 0;
  if (!due_locked(p, block, cooldown)) return 0;
  settle_locked(p, block);
  return page_runs(p, block, *pool_word(p, block));
}

/*
 * Of the slots of a block that are to go: as many as there is room for, at least those up to the first end of a page.  Bare
 * ones on the same pages go with them.  *done: where in the block to go on, 64 when all of it is dealt with.
 */
static u64 cut_locked(struct pool *p, u64 block, u64 mask, u64 room, bool first, unsigned *done) {
  u64 unit = pool_unit(p), taken = 0, free = *pool_word(p, block);
  for (unsigned at = 0; at < 64; at += (unsigned)unit) {
    u64 pages = low_bits((unsigned)unit) << at, more = mask & pages ? free & pages : 0;
    if (more && (taken || !first) && count_bits(taken | more) * p->size > room) {
      *done = at;
      return taken;
    }
    taken |= more;
  }
  *done = 64;
  return taken;
}

/* The next block of a sweep, from `from` on: of bare ones, of which there may be very many, those that are marked. */
static u64 next_locked(struct pool *p, enum sweep sweep, u64 from) {
  static const enum pool_chain chains[] = {OLD, YOUNG, PARTIAL};
  u64 known = pool_known(p);
  if (sweep != SWEEP_BARE) return copse_chain_next(&p->chains[chains[sweep]], from, known);
  for (; from < known; from = round_down(from, 64) + 64) {
    u64 base = round_down(from, 64);
    for (u64 marked = *pool_changed(p, base) & ~low_bits((unsigned)(from & 63)); marked; marked &= marked - 1) {
      u64 block = base + lowest_bit(marked);
      if (block < known && bare_locked(p, block)) return block;
    }
  }
  return CHAIN_NONE;
}

/* Where a sweep is: the next block, how many slots of it are dealt with, and which were chosen then. */
struct position {
  u64 block;
  unsigned done;
  u64 chosen;
};

/* Detaches the next batch.  Returns how many pieces there are of it. */
static unsigned detach_batch_locked(struct pool *p, enum sweep sweep, u64 cooldown, struct position *at,
                                    struct piece *pieces) {
  unsigned n = 0, seen = 0;
  u64 bytes = 0, begun = at->done ? at->block : CHAIN_NONE;
  p->pending -= at->done != 0;
  while (n < PIECES && seen++ < 4 * PIECES) {
    /* What was cut is gone on with, in whichever chain its rest stands by now: none of it may be warm any more, but have come along. */
    u64 from = at->done ? at->block : next_locked(p, sweep, at->block);
    at->block = from;
    if (from == CHAIN_NONE) break;
    u64 chosen = at->done ? at->chosen : choose_locked(p, sweep, from, cooldown, pieces, n);
    u64 mask = chosen & *pool_word(p, from) & ~low_bits(at->done);
    unsigned done = 64;
    if (p->slotwise && mask) mask = cut_locked(p, from, mask, TRIM_BATCH - min_u64(bytes, TRIM_BATCH), n == 0, &done);
    unsigned before = n;
    if (mask) n = detach_with_neighbours_locked(p, from, mask, pieces, n);
    if (mask && n == before) break;
    bytes += count_bits(mask) * p->size;
    /* Where there was no room for anything of it, it is begun with the next batch. */
    *at = done < 64 ? (struct position){from, mask ? done : 0, chosen} : (struct position){from + 1, 0, 0};
    if (done < 64 || batch_full(p, n, bytes, at->block)) break;
  }
  /* Only now: the blocks behind had to know of those before.  But not twice: of what was begun a part may have been refused. */
  for (unsigned i = 0; i < n; i++)
    if (pieces[i].block != begun) settle_locked(p, pieces[i].block);
  p->pending += at->done != 0;
  return n;
}

static u64 sweep(struct pool *p, enum sweep sweep, u64 cooldown) {
  struct piece pieces[PIECES];
  struct position at = {0, 0, 0};
  u64 bytes = 0;
  do {
    copse_lock_acquire(&p->lock);
    unsigned n = detach_batch_locked(p, sweep, cooldown, &at, pieces);
    copse_lock_release(&p->lock);
    if (!n) continue;
    bytes += copse_pool_give_back(p, pieces, n);
    copse_lock_acquire(&p->lock);
    for (unsigned i = 0; i < n; i++) return_locked(p, &pieces[i]);
    copse_lock_release(&p->lock);
  } while (at.block != CHAIN_NONE);
  return bytes;
}

/* Makes `since` accessible for the blocks that there are.  false: refused. */
static bool reach_since(struct pool *p) {
  copse_lock_acquire(&p->lock);
  u64 from = p->since_ready, known = pool_known(p);
  copse_lock_release(&p->lock);
  if (known <= from) return true;
  u64 to = min_u64(round_up(known, SINCE_BLOCKS), round_up(p->slots_max, 64) >> 6);
  if (!copse_vm_access(&p->since[from], (to - from) * sizeof *p->since)) return false;
  copse_lock_acquire(&p->lock);
  if (to > p->since_ready) {
    /* Two trims may have made it accessible. */
    add_relaxed(&copse_region_own_bytes, (to - p->since_ready) * sizeof *p->since);
    p->since_ready = to;
  }
  copse_lock_release(&p->lock);
  return true;
}

/* In the blocks of a chain: what came free since the last trim has been since this one.  Vacant blocks become old.  Of blocks that came
 * after `since` was made accessible it is said at the next trim. */
static void stamp(struct pool *p, enum pool_chain chain) {
  u64 block = 0;
  do {
    copse_lock_acquire(&p->lock);
    for (unsigned seen = 0; seen < 4 * PIECES; seen++, block++) {
      block = copse_chain_next(&p->chains[chain], block, pool_known(p));
      if (block >= p->since_ready) block = CHAIN_NONE;
      if (block == CHAIN_NONE) break;
      if (chain == YOUNG) {
        chain_clear(pool_young(p), block);
        chain_set(pool_old(p), block);
      }
      if (!changed_locked(p, block)) continue;
      *pool_changed(p, block) &= ~((u64)1 << (block & 63));
      p->since[block] = p->tick;
    }
    copse_lock_release(&p->lock);
  } while (block != CHAIN_NONE);
}

/* Whether blocks in use may have whole pages free.  In slotwise pools those stand among the vacant ones. */
static bool sweeps_partial(const struct pool *p) { return pool_has_runs(p) && !p->slotwise; }

static u64 sweep_freed(struct pool *p, u64 cooldown) {
  u64 bytes = sweep(p, SWEEP_OLD, cooldown) + sweep(p, SWEEP_YOUNG, cooldown);
  return sweeps_partial(p) ? bytes + sweep(p, SWEEP_PARTIAL, cooldown) : bytes;
}

/*
 * Whether it is left alone this time: most of what it gave came into use again, so that what it has free goes up and down.  Then it
 * keeps that for one peak, and each time that this is found again in turn for twice as many and one.
 */
static bool left_alone_locked(struct pool *p) {
  if (p->left_alone) {
    p->left_alone--;
    return true;
  }
  if (p->given * p->size < PEAK_LEAST || 2 * p->retaken < p->given) return false;
  p->patience = min_u64(2 * p->patience + 1, PEAK_PATIENCE);
  p->left_alone = p->patience - 1;
  p->given = p->retaken = 0;
  return true;
}

u64 copse_pool_trim_freed(struct pool *p) {
  copse_lock_acquire(&p->lock);
  bool idle = p->frontier == 0 || left_alone_locked(p);
  copse_lock_release(&p->lock);
  if (idle) return 0;
  u64 bytes = sweep_freed(p, 0);
  copse_lock_acquire(&p->lock);
  p->given += bytes / p->size;
  copse_lock_release(&p->lock);
  return bytes;
}

u64 copse_pool_trim(struct pool *p, u64 cooldown) {
  copse_lock_acquire(&p->lock);
  bool idle = p->frontier == 0, came_along = false;
  if (!idle) {
    if (cooldown && ++p->tick == 0) p->tick = 1; /* 0: not since any */
    came_along = p->advised && (!cooldown || p->tick % cooldown == 0);
  }
  copse_lock_release(&p->lock);
  if (idle) return 0;
  if (cooldown) {
    if (!reach_since(p)) return 0;
    stamp(p, YOUNG);
    if (sweeps_partial(p)) stamp(p, PARTIAL);
  }
  u64 bytes = sweep_freed(p, cooldown);
  /* What only came along was never in use: with a cooldown it goes at every so manieth trim. */
  if (came_along) bytes += sweep(p, SWEEP_BARE, cooldown);
  return bytes;
}
