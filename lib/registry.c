/* SPDX-License-Identifier: MIT */
/* All records: pushed once, never removed, taken and left by threads. */
#include "cache.h"
#include "pool.h"
#include "region.h"

static struct cache *registry;

struct cache *copse_cache_first(void) {
  /* acquire: pairs with the release of the push below: the record is initialised. */
  return load_acquire(&registry);
}

/* Records go round the arenas; the first has one of its own until there are more records than arenas. */
static void settle(struct cache *c, unsigned number) {
  unsigned arena = number % copse_regions.arenas;
  c->number = number;
  /* Without memory for another arena, or between a fork's handlers, any that there is will do. */
  c->arena = copse_pools_reach(arena) ? arena : 0;
  c->hot.key = (uptr)copse_regions.base ^ ((u64)region_at(c->arena, 0) << copse_regions.bits);
}

static struct cache *record_make(void) {
  struct cache *c = copse_region_own_committed(sizeof *c, RECORD_ALIGNMENT);
  if (!c) return NULL;
  /* Its own; the neighbours' are NULL until they are used. */
  for (unsigned place = 0; place < ARENA_REGIONS; place++) store_relaxed(&c->hot.top[place], dummy_top());
  c->hot.bits = copse_regions.bits;
  c->taken = 1;
  struct cache *head;
  do {
    /* The acquire in it: the number of the one before is visible. */
    c->next = head = copse_cache_first();
    settle(c, head ? head->number + 1 : 0);
    /* release: pairs with the acquire in copse_cache_first. */
  } while (!cas_release(&registry, &head, c));
  return c;
}

struct cache *copse_cache_attach(void) {
  struct cache *c = copse_cache_first();
  for (; c; c = c->next) {
    u32 free = 0;
    /* relaxed: only to spare the CAS.  acquire: pairs with the release of the thread that left the record. */
    if (load_relaxed(&c->taken) == 0 && cas_acquire(&c->taken, &free, 1)) break;
  }
  if (!c) c = record_make();
  if (!c) return NULL;
  /* acquire, release: as in copse_cache_follow_owner. */
  store_release(&c->seen, load_acquire(&copse_generation));
  return c;
}

void copse_cache_detach_owner(struct cache *c) {
  copse_cache_flush_owner(c);
  /* release: pairs with the acquire of the next thread that takes the record. */
  store_release(&c->taken, (u32)0);
}

bool copse_cache_holds(const struct cache *c) {
  for (unsigned place = 0; place < places(); place++) {
    /* relaxed: a figure, as is where the bundle begins, which may be another thread's by now. */
    void **top = load_relaxed(&c->hot.top[place]);
    if (top_is_open(top) && bundle_bottom(bundle_of(top)) < top) return true;
  }
  /* A spare may have come there behind the trim that took the one before.  relaxed: a figure. */
  for (unsigned class = 0; class < CLASSES; class++)
    if (load_relaxed(&c->spare[class]) & SPARE_COUNT) return true;
  return false;
}

/* ---- in a child of fork ---- */

/* Set in `held` of the bundles that are in a place, while what is in none is looked for. */
#define HELD_PLACED ((u64)1 << 62)

static void placed(struct bundle *b) { store_relaxed(&b->held, load_relaxed(&b->held) | HELD_PLACED); }

static void mark_places(void) {
  for (struct cache *c = copse_cache_first(); c; c = c->next) {
    for (unsigned place = 0; place < places(); place++) {
      void **top = load_relaxed(&c->hot.top[place]);
      if (top_is_open(top)) placed(bundle_of(top));
    }
    for (unsigned class = 0; class < CLASSES; class++) {
      u64 spare = load_relaxed(&c->spare[class]);
      if (spare) placed(spare_bundle(spare));
    }
  }
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    u64 head = load_relaxed(&copse_recyclers[p->region].head.low);
    struct bundle *b = (struct bundle *)(head & ~RECYCLER_COUNT);
    for (u64 i = head & RECYCLER_COUNT; i--; b = load_relaxed(&b->next)) placed(b);
  }
}

/* The slots in a bundle that is in no place went with the thread that held it.  Blank ones are counted by their class, others
 * by their addresses. */
static void lose(struct bundle *b, u64 held) {
  unsigned count = held_count(held);
  if (held & HELD_BLANK) copse_pools[held_region(held)].lost += count;
  else
    for (unsigned i = 0; i < count; i++) copse_pools[region_of(b->bottom[i])].lost++;
  store_relaxed(&b->held, (u64)0);
}

static void count_lost(void) {
  mark_places();
  for (struct bundle *made = load_relaxed(&copse_bundles_made); made; made = made->made)
    for (u64 i = 0; i < made->made_count; i++) {
      u64 held = load_relaxed(&made[i].held);
      if (held & HELD_PLACED)
        store_relaxed(&made[i].held, held & ~HELD_PLACED);
      else if (held)
        lose(&made[i], held);
    }
}

void copse_cache_fork_child(struct cache *mine) {
  bool others = false;
  for (struct cache *c = copse_cache_first(); c; c = c->next) others = others || (c != mine && load_relaxed(&c->taken));
  /* Without other threads nothing is in any hand, and the child need not touch all bundles. */
  if (!others) return;
  count_lost();
  for (struct cache *c = copse_cache_first(); c; c = c->next) {
    if (c == mine || !load_relaxed(&c->taken)) continue;
    /* Its thread may have been about to count them. */
    c->empties_count = 0;
    for (struct bundle *b = c->empties; b; b = b->batch) c->empties_count++;
    /* Its thread is not here: this one acts as the owner. */
    copse_cache_detach_owner(c);
  }
}
