/* SPDX-License-Identifier: MIT */
/*
 * Growth: a range is claimed under the lock (the frontier moves), made accessible outside, published under the lock.
 * The first claimant takes the big step; while that is in flight others claim what one refill needs.  Nobody waits for
 * anybody: a stopped grower holds up its own range only.  A range that the system refuses is rolled back if it is the
 * last, else kept to be tried first.
 */
#include "pool.h"
#include "atomic.h"
#include "check.h"
#include "side.h"
#include "tunables.h"
#include "vm.h"

/* Blocks whose sparse metadata is made accessible at a time, and blocks that one step publishes at most. */
enum { READY_BLOCKS = 8192, STEP_BLOCKS = 4096 };

/* Ranges end where a page does: what is on a page with slots that are not there yet could never be given back. */
/* How many slots the next step from the frontier takes, before the region's end is looked at. */
static u64 step_locked(struct pool *p, u64 need, bool big) {
  u64 unit = pool_unit(p), slots = round_up(need, unit);
  if (!big) return slots;
  /* relaxed: parameters stand on their own. */
  u64 least = load_relaxed(&copse_tunables.growth_min), most = load_relaxed(&copse_tunables.growth_max);
  u64 bytes = min_u64(max_u64(p->frontier * p->size / 4, least), most);
  p->step = bytes;
  return min_u64(max_u64(slots, round_up(bytes / p->size, unit)), STEP_BLOCKS * 64);
}

static void claim_failed_locked(struct pool *p, u64 need, bool small, struct growth *g) {
  struct slot_range *last = &p->failed[p->fails - 1];
  u64 slots = last->to - last->from, some = small ? min_u64(slots, round_up(need, pool_unit(p))) : slots;
  g->range = (struct slot_range){last->from, last->from + some};
  last->from += some;
  if (last->from == last->to) p->fails--;
}

bool copse_pool_claim_locked(struct pool *p, u64 need, bool small, struct growth *g) {
  if (p->fails) {
    claim_failed_locked(p, need, small, g);
    g->big = false;
  } else {
    u64 left = p->slots_max - p->frontier;
    if (!left) return false;
    g->big = !small && !p->growing;
    u64 slots = min_u64(step_locked(p, need, g->big), left), blocks = pool_blocks(p);
    g->range = (struct slot_range){p->frontier, p->frontier + slots};
    p->frontier += slots;
    p->uncommitted += 64 * (pool_blocks(p) - blocks);
    p->growing += g->big;
  }
  p->pending++;
  u64 blocks = (g->range.to + 63) >> 6, most = (p->slots_max + 63) >> 6;
  g->ready_from = g->ready_to = 0;
  if (blocks > p->ready) {
    g->ready_from = p->ready;
    g->ready_to = min_u64(round_up(blocks, READY_BLOCKS), most);
  }
  return true;
}

static bool commit_metadata(struct pool *p, const struct growth *g) {
  u64 from = g->ready_from, to = g->ready_to;
  if (from == to) return true;
  if (!copse_vm_access(&p->words[from], (to - from) * sizeof(u64))) return false;
  if (p->slotwise && !copse_vm_access(&p->bare[from], (to - from) * sizeof(u64))) return false;
  if (!copse_vm_access(&p->changed[from >> 6], (((to + 63) >> 6) - (from >> 6)) * sizeof(u64))) return false;
  u64 tree = max_u64(from >> BIT_TREE_BITS, 1), trees = ((to - 1) >> BIT_TREE_BITS) + 1;
  if (tree >= trees) return true;
  for (unsigned i = 0; i < CHAINS; i++) {
    if (!copse_vm_access(&p->chains[i].rest[tree], (trees - tree) * sizeof(struct bit_tree))) return false;
    if (!copse_vm_access(p->chains[i].trees, sizeof(struct bit_tree))) return false;
  }
  return true;
}

/* Of the sparse metadata below so many blocks. */
static u64 metadata_bytes(const struct pool *p, u64 blocks) {
  u64 bytes = blocks * sizeof(u64) * (p->slotwise ? 2 : 1) + ((blocks + 63) >> 6) * sizeof(u64);
  u64 trees = (blocks - 1) >> BIT_TREE_BITS;
  return bytes + (trees ? (trees + 1) * CHAINS * sizeof(struct bit_tree) : 0);
}

bool copse_pool_commit(struct pool *p, struct growth *g, u64 *huge_bytes) {
  *huge_bytes = 0;
  g->advised = false;
  if (!commit_metadata(p, g) || !copse_side_commit(p->class, g->range.from, g->range.to)) return false;
  char *from = pool_address(p, g->range.from), *to = pool_address(p, g->range.to);
  const u64 explicit_page = (u64)2 << 20;
  char *aligned = (char *)round_up((uptr)from, explicit_page), *end = (char *)round_down((uptr)to, explicit_page);
  /* relaxed: as above. */
  u64 policy = load_relaxed(&copse_tunables.huge);
  if (policy == 2 && g->big && aligned < end) *huge_bytes = copse_vm_commit_huge(aligned, (u64)(end - aligned));
  /* The rest: before and behind. */
  if (*huge_bytes) {
    if (from < aligned && !copse_vm_commit(from, (u64)(aligned - from))) {
      /* Nobody would remember that these are huge. */
      copse_vm_uncommit(aligned, *huge_bytes);
      return false;
    }
    from = aligned + *huge_bytes;
  }
  if (from < to && !copse_vm_commit(from, (u64)(to - from))) {
    char *first = pool_address(p, g->range.from);
    if (*huge_bytes) copse_vm_uncommit(first, (u64)(from - first));
    return false;
  }
  copse_annotate_fresh(pool_address(p, g->range.from), (u64)(to - (char *)pool_address(p, g->range.from)));
  u64 grown = (u64)(to - p->start);
  /* With the beginning of a huge page that this step may have completed: the system looks at whole ones. */
  char *whole = copse_vm_facts.huge ? (char *)round_down((uptr)from, copse_vm_facts.huge) : to;
  if (whole < p->start) whole = p->start;
  if (policy >= 1 && grown > HUGE_AFTER) {
    if (whole < to) copse_vm_advise_huge(whole, (u64)(to - whole));
    g->advised = copse_vm_facts.huge != 0;
  } else if (copse_vm_facts.huge_always && whole < to) {
    copse_vm_advise_small(whole, (u64)(to - whole));
  }
  return true;
}

void copse_pool_publish_locked(struct pool *p, const struct growth *g, u64 huge_bytes) {
  p->growing -= g->big;
  if (g->ready_to > p->ready) {
    /* Counted here, and once: several steps in flight may have made the same accessible, and one that is refused does it again. */
    add_relaxed(&copse_region_own_bytes, metadata_bytes(p, g->ready_to) - metadata_bytes(p, p->ready));
    p->ready = g->ready_to;
  }
  p->advised |= g->advised;
  p->marked = CHAIN_NONE; /* what is fresh may be on the same huge page */
  if (huge_bytes) {
    /* One range that only grows: what lies between two backed parts counts as backed. */
    if (p->huge.to == 0) p->huge.from = g->range.from;
    p->huge.from = min_u64(p->huge.from, g->range.from);
    p->huge.to = max_u64(p->huge.to, g->range.to);
  }
  must(p->uncommitted >= g->range.to - g->range.from);
  p->uncommitted -= g->range.to - g->range.from;
  for (u64 slot = g->range.from; slot < g->range.to;) {
    u64 block = slot >> 6, end = min_u64(g->range.to, (block + 1) << 6);
    u64 mask = low_bits((unsigned)(end - slot)) << (slot & 63), *word = pool_word(p, block);
    must(!(*word & mask));
    if (p->slotwise) *pool_bare(p, block) |= mask;
    if (*word == 0) chain_set(&p->chains[BARE], block);
    *word |= mask;
    if (p->advised && pool_late(p, block)) pool_again_locked(p, block);
    slot = end;
  }
  p->pending--;
  pool_late_over(p);
}

void copse_pool_rollback_locked(struct pool *p, const struct growth *g) {
  struct slot_range range = g->range;
  p->growing -= g->big;
  p->pending--;
  pool_late_over(p);
  while (range.to == p->frontier) {
    u64 blocks = pool_blocks(p);
    p->frontier = range.from;
    p->uncommitted -= 64 * (blocks - pool_blocks(p));
    /* Another failed range may be the last one now. */
    unsigned i = 0;
    while (i < p->fails && p->failed[i].to != p->frontier) i++;
    if (i == p->fails) return;
    range = p->failed[i];
    p->failed[i] = p->failed[--p->fails];
  }
  /* The list is short: beyond it the address space is given up, and stays counted as uncommitted. */
  if (p->fails < POOL_FAILED) p->failed[p->fails++] = range;
}
