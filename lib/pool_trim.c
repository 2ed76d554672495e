/* SPDX-License-Identifier: MIT */
/*
 * Giving a pool's pages back.  Under the lock free bits are taken out of the words ("detached": the trim owns those
 * slots); outside, the pages that lie wholly inside what is owned are given back; under the lock the bits return.
 * Each lock hold looks at a bounded number of blocks.
 */
#include "pool.h"
#include "check.h"
#include "tunables.h"
#include "vm.h"

/* Detached slots of one block, and which of them have no pages any more. */
struct piece {
  u64 block, mask, bare;
  bool refused; /* some page was to be given back, and the system would not take it */
};

enum { PIECES = TRIM_BLOCKS + 64 };

/*
 * A batch ends where a block ends on a page, which every 64th one does, of 64 KB too; where the pool's start is not on such a
 * page, wherever it is twice as large.
 */
static bool batch_full(const struct pool *p, unsigned n, u64 next_block) {
  u64 bytes = n * 64 * p->size;
  if (n < TRIM_BLOCKS && bytes < TRIM_BATCH) return false;
  return ((uptr)pool_address(p, next_block << 6) & (copse_vm_facts.page - 1)) == 0 || bytes >= 2 * TRIM_BATCH;
}

/* Explicit huge pages are never given back. */
static bool backed_huge(const struct pool *p, u64 block) {
  return block << 6 < p->huge.to && (block + 1) << 6 > p->huge.from;
}

static void *slot_end(const struct pool *p, u64 slot) { return pool_address(p, slot); }

/* Gives the pages of slots [from, to) back and notes in pieces[first..last] which slots are bare by that. */
static u64 give_back(const struct pool *p, u64 from, u64 to, struct piece *pieces, unsigned first, unsigned last) {
  u64 page = copse_vm_facts.page;
  uptr low = round_up((uptr)pool_address(p, from), page), high = round_down((uptr)slot_end(p, to), page);
  if (low >= high) return 0;
  u64 bytes = copse_vm_decommit((void *)low, high - low);
  if (!bytes) {
    for (unsigned i = first; i <= last; i++) pieces[i].refused = true;
    return 0;
  }
  uptr start = (uptr)p->start;
  u64 bare_from = low <= start ? 0 : (low - start + p->size - 1) / p->size, bare_to = (high - start) / p->size;
  for (unsigned i = first; i <= last; i++) {
    u64 base = pieces[i].block << 6;
    u64 a = max_u64(bare_from, base), b = min_u64(bare_to, base + 64);
    if (a < b) pieces[i].bare |= pieces[i].mask & (low_bits((unsigned)(b - a)) << (a - base));
  }
  return bytes;
}

/* Runs of neighbouring slots, across blocks. */
static u64 give_back_runs(const struct pool *p, struct piece *pieces, unsigned n) {
  u64 bytes = 0, from = 0, to = 0;
  unsigned first = 0, last = 0;
  for (unsigned i = 0; i < n; i++) {
    u64 base = pieces[i].block << 6;
    for (u64 mask = pieces[i].mask; mask;) {
      unsigned low = lowest_bit(mask);
      u64 rest = ~(mask >> low);
      unsigned length = rest ? lowest_bit(rest) : 64;
      if (length > 64 - low) length = 64 - low;
      if (base + low != to) {
        if (to > from) bytes += give_back(p, from, to, pieces, first, last);
        from = base + low;
        first = i;
      }
      to = base + low + length;
      last = i;
      mask &= ~(low_bits(length) << low);
    }
  }
  if (to > from) bytes += give_back(p, from, to, pieces, first, last);
  return bytes;
}

static void remove_locked(struct pool *p, u64 block) {
  for (unsigned i = 0; i < CHAINS; i++)
    if (chain_has(&p->chains[i], block)) chain_clear(&p->chains[i], block);
}

static void return_locked(struct pool *p, const struct piece *piece) {
  u64 *word = pool_word(p, piece->block);
  must(!(*word & piece->mask));
  p->detached -= count_bits(piece->mask);
  remove_locked(p, piece->block);
  *word |= piece->mask;
  if (piece->refused) *pool_changed(p, piece->block) |= (u64)1 << (piece->block & 63);
  if (p->slotwise) {
    *pool_bare(p, piece->block) |= piece->bare;
    copse_vm_uncharge(count_bits(piece->bare) * p->size);
  } else if (piece->mask == ~(u64)0 && piece->bare == ~(u64)0) {
    chain_set(&p->chains[BARE], piece->block);
    copse_vm_uncharge(64 * p->size);
    return;
  }
  copse_pool_place_locked(p, piece->block);
}

static void detach_locked(struct pool *p, u64 block, u64 mask, struct piece *piece) {
  *piece = (struct piece){block, mask, 0, false};
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
    if (from < round_down((uptr)slot_end(p, slot + length), copse_vm_facts.page)) found |= run;
    free &= ~run;
  }
  return found;
}

enum sweep { SWEEP_OLD, SWEEP_YOUNG, SWEEP_PARTIAL };

/* What of this block is to be detached now. */
static u64 choose_locked(struct pool *p, enum sweep sweep, u64 block) {
  u64 free = *pool_word(p, block);
  if (backed_huge(p, block)) return 0;
  if (p->slotwise) return free & ~*pool_bare(p, block);
  if (sweep != SWEEP_PARTIAL) return free;
  u64 *changed = pool_changed(p, block), bit = (u64)1 << (block & 63);
  if (!(*changed & bit)) return 0;
  *changed &= ~bit;
  return page_runs(p, block, free);
}

static u64 sweep(struct pool *p, enum sweep sweep) {
  struct piece pieces[PIECES];
  u64 bytes = 0, from = 0;
  do {
    unsigned n = 0, seen = 0;
    copse_lock_acquire(&p->lock);
    struct chain *chain = sweep == SWEEP_PARTIAL ? &p->chains[PARTIAL] : sweep == SWEEP_YOUNG ? pool_young(p) : pool_old(p);
    while ((from = copse_chain_next(chain, from, pool_known(p))) != CHAIN_NONE) {
      u64 mask = choose_locked(p, sweep, from);
      if (mask) detach_locked(p, from, mask, &pieces[n++]);
      from++;
      seen++;
      if (batch_full(p, n, from) || n == PIECES || seen >= 4 * PIECES) break;
    }
    copse_lock_release(&p->lock);
    if (!n) continue;
    bytes += give_back_runs(p, pieces, n);
    copse_lock_acquire(&p->lock);
    for (unsigned i = 0; i < n; i++) return_locked(p, &pieces[i]);
    copse_lock_release(&p->lock);
  } while (from != CHAIN_NONE);
  return bytes;
}

u64 copse_pool_trim(struct pool *p, u64 cooldown) {
  u64 bytes = 0;
  copse_lock_acquire(&p->lock);
  bool idle = p->frontier == 0, due = !cooldown || ++p->ticks % cooldown == 0;
  copse_lock_release(&p->lock);
  if (idle || !due) return 0;
  bytes += sweep(p, SWEEP_OLD);
  if (cooldown == 0) {
    bytes += sweep(p, SWEEP_YOUNG);
    if (!p->slotwise && p->size >= TRIM_RUN_SIZE) bytes += sweep(p, SWEEP_PARTIAL);
    return bytes;
  }
  /* The young grow old.  What stayed among the old, for want of a whole page, is as good as young. */
  copse_lock_acquire(&p->lock);
  p->young = VACANT_A + VACANT_B - p->young;
  copse_lock_release(&p->lock);
  return bytes;
}
