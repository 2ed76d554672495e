/* SPDX-License-Identifier: MIT */
/* Taking slots from a pool and putting them back.  Growth is in pool_grow.c, giving pages back in pool_trim.c. */
#include "pool.h"
#include "check.h"
#include "held.h"
#include "tunables.h"
#include "vm.h"

struct pool copse_pools[CLASS_REGIONS];

/* Slots that one lock hold puts, at most: a bundle's. */
enum { PUT_MOST = 120 };

static struct lock arenas_lock = LOCK_INITIALIZER(RANK_ARENAS);
static u32 arenas; /* with pools */

static bool pool_start(struct pool *p, unsigned region, struct pool_first *first) {
  unsigned class = region_class(region);
  p->region = region;
  p->class = class;
  p->size = class_size(class);
  p->shift = lowest_bit(p->size);
  p->inverse = class_inverse(p->size >> p->shift);
  u64 colour = round_down(class_colour(class, region_arena(region)), copse_vm_facts.page);
  p->start = region_base(region) + colour;
  p->slotwise = p->size >= SLOTWISE_SIZE;
  /* The region's end, too, is where a page ends: what is on a page with what is never there could not be given back. */
  p->slots_max = round_down((region_size() - colour) / p->size, pool_unit(p));
  p->first = first;
  p->ready = POOL_DENSE;
  p->marked = CHAIN_NONE;
  pool_late_over(p);
  copse_lock_init(&p->lock, RANK_POOL + region);

  u64 blocks = (p->slots_max + 63) >> 6, trees = (blocks + BIT_TREE_SIZE - 1) >> BIT_TREE_BITS;
  if (blocks > POOL_DENSE) {
    p->words = copse_region_own(blocks * sizeof(u64), 4096);
    p->changed = copse_region_own(blocks / 8 + 8, 4096);
    if (p->slotwise) p->bare = copse_region_own(blocks * sizeof(u64), 4096);
    if (!p->words || !p->changed || (p->slotwise && !p->bare)) return false;
  }
  p->since = copse_region_own(blocks * sizeof(u32), 4096);
  if (!p->since) return false;
  for (unsigned i = 0; i < CHAINS; i++) {
    p->chains[i].first = &first->trees[i];
    if (trees <= 1) continue;
    p->chains[i].rest = copse_region_own(trees * sizeof(struct bit_tree), 4096);
    p->chains[i].trees = copse_region_own(sizeof(struct bit_tree), 4096);
    if (!p->chains[i].rest || !p->chains[i].trees) return false;
  }
  return true;
}

static bool arena_start(unsigned arena) {
  struct pool_first *first = copse_region_own_committed(sizeof(struct pool_first) * CLASSES, 4096);
  if (!first) return false;
  for (unsigned class = 0; class < CLASSES; class++) {
    unsigned region = region_at(arena, class);
    if (!pool_start(&copse_pools[region], region, &first[class])) return false;
  }
  /* release: pairs with the acquire in copse_pools_arenas: the pools may be used. */
  store_release(&arenas, arena + 1);
  return true;
}

bool copse_pools_start(void) {
  store_relaxed(&arenas, (u32)0);
  return arena_start(0);
}

unsigned copse_pools_arenas(void) {
  /* acquire: pairs with the release in arena_start. */
  return load_acquire(&arenas);
}

bool copse_pools_reach(unsigned arena) {
  bool reached = arena < copse_pools_arenas();
  if (likely(reached)) return true;
  must(arena < copse_regions.arenas);
  /* Not by a thread that forks, in another library's handler: it would not have the locks of the new pools, and yet let go of them. */
  if (unlikely(copse_lock_seized())) return false;
  copse_lock_acquire(&arenas_lock);
  /* relaxed: only what holds the lock writes it. */
  do reached = arena < load_relaxed(&arenas);
  while (!reached && arena_start(load_relaxed(&arenas)));
  copse_lock_release(&arenas_lock);
  return reached;
}

void copse_pools_lock(void) {
  if (copse_regions.arenas > 1) copse_lock_acquire(&arenas_lock);
}

void copse_pools_unlock(void) {
  if (copse_regions.arenas > 1) copse_lock_release(&arenas_lock);
}

void copse_pool_place_locked(struct pool *p, u64 block) {
  u64 free = *pool_word(p, block);
  if (!free) return;
  if (p->slotwise)
    chain_set(free & ~*pool_bare(p, block) ? pool_young(p) : &p->chains[BARE], block);
  else
    chain_set(free == ~(u64)0 ? pool_young(p) : &p->chains[PARTIAL], block);
}

/* The chain to take from, and its first block: partial before vacant, vacant before bare, low addresses before high. */
static struct chain *choose_locked(struct pool *p, u64 *block) {
  u64 blocks = pool_known(p);
  if (likely((*block = chain_first(&p->chains[PARTIAL], blocks)) != CHAIN_NONE)) return &p->chains[PARTIAL];
  u64 young = chain_first(pool_young(p), blocks), old = chain_first(pool_old(p), blocks);
  if ((*block = min_u64(young, old)) != CHAIN_NONE) return young < old ? pool_young(p) : pool_old(p);
  *block = chain_first(&p->chains[BARE], blocks);
  return &p->chains[BARE];
}

static u64 lowest_bits_of(u64 set, unsigned n) {
  if (count_bits(set) <= n) return set;
  u64 rest = set;
  while (n--) rest &= rest - 1;
  return set ^ rest;
}

void copse_pool_mark_huge_locked(struct pool *p, u64 block, bool all) {
  u64 huge = copse_vm_facts.huge, bytes = 64 * p->size;
  uptr start = (uptr)p->start, low = round_down(start + block * bytes, huge), high = round_up(start + (block + 1) * bytes, huge);
  if (p->detached || p->pending) p->late = (struct slot_range){min_u64(p->late.from, low), max_u64(p->late.to, high)};
  /* The lowest bit: all of it is. */
  if ((p->marked & ~(u64)1) == low && (p->marked & 1 || !all) && high - low == huge) return;
  p->marked = low | all;
  u64 from = low > start ? (low - start) / bytes : 0, to = min_u64((high - start + bytes - 1) / bytes, pool_known(p));
  for (; from < to; from = round_down(from, 64) + 64) {
    u64 those = low_bits((unsigned)min_u64(to - round_down(from, 64), 64)) & ~low_bits((unsigned)(from & 63));
    *pool_changed(p, from) |= all ? those : those & chain_word(&p->chains[BARE], from);
  }
}

/* Slots of one block, on their way. */
struct gathered {
  u64 block, mask;
};

/*
 * Clears the bits of up to `n` free slots and says which; the addresses are worked out without the lock.
 * *refused: bare memory was there, and the limit forbids to use it.  *bare: the slots of the last block were bare.
 */
static unsigned gather_locked(struct pool *p, unsigned n, struct gathered g[64], unsigned *total, bool *refused,
                              bool *bare) {
  unsigned pieces = 0;
  *total = 0;
  *bare = false;
  while (*total < n) {
    u64 block;
    struct chain *chain = choose_locked(p, &block);
    if (block == CHAIN_NONE) break;
    u64 *word = pool_word(p, block), free = *word, warm = free;
    *bare = chain == &p->chains[BARE];
    if (p->slotwise && !*bare) warm &= ~*pool_bare(p, block);
    u64 take = lowest_bits_of(warm, n - *total);
    must(take);
    if (*bare) {
      bool charged = copse_vm_charge(p->slotwise ? p->size * count_bits(take) : p->size * 64);
      if (!charged && p->slotwise) {
        /* One may fit where several do not. */
        take &= -take;
        charged = copse_vm_charge(p->size);
      }
      if (!charged) {
        *refused = true;
        break;
      }
      if (block < p->used) p->retaken += p->slotwise ? count_bits(take) : 64;
      else p->used = block + 1;
      if (p->slotwise) *pool_bare(p, block) &= ~take;
      if (p->advised) copse_pool_mark_huge_locked(p, block, true);
    }
    *word = free & ~take;
    /* It stays where it is if it is a partial block that remains one, or a slotwise one with more of the same. */
    bool stays = p->slotwise ? (warm & ~take) != 0 : chain == &p->chains[PARTIAL] && *word;
    if (!stays) {
      chain_clear(chain, block);
      copse_pool_place_locked(p, block);
    }
    g[pieces++] = (struct gathered){block, take};
    *total += count_bits(take);
  }
  return pieces;
}

/* relaxed: statistics may look at the bundle that this fills. */
static void spread(const struct pool *p, const struct gathered g[], unsigned pieces, unsigned total, void *out[]) {
  void **next = out + total;
  for (unsigned i = 0; i < pieces; i++) {
    char *base = pool_address(p, g[i].block << 6);
    if (g[i].mask == ~(u64)0) {
      for (unsigned slot = 0; slot < 64; slot++, base += p->size) store_relaxed(--next, (void *)base);
    } else {
      for (u64 mask = g[i].mask; mask; mask &= mask - 1) store_relaxed(--next, (void *)(base + lowest_bit(mask) * p->size));
    }
  }
  must(next == out);
}

static enum pool_outcome take(struct pool *p, unsigned n, void *out[], unsigned *taken, bool *bare, u64 *held) {
  struct gathered g[64];
  unsigned pieces;
  bool refused = false, small = false;
  copse_lock_acquire(&p->lock);
  p->locked++;
  while (!(pieces = gather_locked(p, n, g, taken, &refused, bare)) && !refused) {
    struct growth growth;
    u64 huge_bytes = 0;
    if (!copse_pool_claim_locked(p, n, small, &growth)) {
      copse_lock_release(&p->lock);
      return POOL_EXHAUSTED;
    }
    copse_lock_release(&p->lock);
    bool committed = copse_pool_commit(p, &growth, &huge_bytes);
    copse_lock_acquire(&p->lock);
    if (committed) {
      copse_pool_publish_locked(p, &growth, huge_bytes);
    } else {
      copse_pool_rollback_locked(p, &growth);
      /* Once more, with the least that helps; then it is refused for good. */
      if (small) refused = true;
      small = true;
      n = 1;
    }
  }
  if (held && pieces) store_relaxed(held, held_blank(p->region, *taken));
  copse_lock_release(&p->lock);
  if (!pieces) return POOL_REFUSED;
  spread(p, g, pieces, *taken, out);
  if (held) {
    order_stores();
    store_relaxed(held, (u64)*taken);
  }
  return POOL_TAKEN;
}

enum pool_outcome copse_pool_take_held(struct pool *p, unsigned n, void *out[], unsigned *taken, u64 *held) {
  bool bare;
  must(n >= 1 && n <= 64);
  return take(p, n, out, taken, &bare, held);
}

enum pool_outcome copse_pool_take_one(struct pool *p, void **out, bool *zero) {
  unsigned taken;
  enum pool_outcome outcome = take(p, 1, out, &taken, zero, NULL);
  *zero = *zero && p->slotwise;
  return outcome;
}

/* A block had none free, or has all free now, or notes which of its free slots are bare: it may change its chain. */
static void move_locked(struct pool *p, u64 block, u64 before, u64 after) {
  if (unlikely(p->slotwise)) {
    must(!(*pool_bare(p, block) & (before ^ after)));
    /* Now it has warm slots, and has had a free just now: young. */
    if (!chain_has(pool_young(p), block)) {
      if (before) chain_clear(before & ~*pool_bare(p, block) ? pool_old(p) : &p->chains[BARE], block);
      chain_set(pool_young(p), block);
    }
  } else if (before == 0) {
    copse_pool_place_locked(p, block);
  } else if (after == ~(u64)0) {
    chain_clear(&p->chains[PARTIAL], block);
    chain_set(pool_young(p), block);
  }
  /* It may have been touched only after a trim had asked for what had come along. */
  if (p->advised && (p->slotwise || after == ~(u64)0)) copse_pool_mark_huge_locked(p, block, false);
}

/* What it looks at in the pool is handed in, since a store to a word might change it for all the compiler knows. */
static inline void free_bits_locked(struct pool *p, bool runs, bool slotwise, u64 block, u64 mask) {
  u64 *word = pool_word(p, block), before = *word, after = before | mask;
  must(!(before & mask) && block < pool_known(p));
  *word = after;
  if (runs || after == ~(u64)0) *pool_changed(p, block) |= (u64)1 << (block & 63);
  if (unlikely(slotwise || before == 0 || after == ~(u64)0)) move_locked(p, block, before, after);
}

void copse_pool_put_held(struct pool *p, unsigned n, void *const slots[], u64 *held) {
  u64 at[PUT_MOST];
  while (n) {
    unsigned some = n < PUT_MOST ? n : PUT_MOST;
    for (unsigned i = 0; i < some; i++) {
      at[i] = pool_slot(p, slots[i]);
      prefetch_write(pool_word(p, at[i] >> 6));
    }
    copse_lock_acquire(&p->lock);
    p->locked++;
    /* Neighbours go home in one store. */
    const bool runs = pool_has_runs(p), slotwise = p->slotwise;
    u64 block = at[0] >> 6, mask = 0;
    for (unsigned i = 0; i < some; i++) {
      if (at[i] >> 6 != block) {
        free_bits_locked(p, runs, slotwise, block, mask);
        block = at[i] >> 6;
        mask = 0;
      }
      must(!(mask >> (at[i] & 63) & 1));
      mask |= (u64)1 << (at[i] & 63);
    }
    free_bits_locked(p, runs, slotwise, block, mask);
    if (held) store_relaxed(held, load_relaxed(held) - some);
    copse_lock_release(&p->lock);
    slots += some;
    n -= some;
  }
}
