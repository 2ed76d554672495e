/* SPDX-License-Identifier: MIT */
#include "cache.h"
#include "check.h"
#include "tunables.h"

struct bundle copse_bundle_dummy __attribute__((aligned(BUNDLE_BYTES))) = {
  .bottom = copse_bundle_dummy.slot + BUNDLE_SLOTS,
};

/* Every top that may be read through these at the dummy's end: full, and with a NULL below. */
#define D copse_bundle_dummy.slot + BUNDLE_SLOTS
#define D8 D, D, D, D, D, D, D, D
#define DUMMY_HOT {.hot = {0, 63, {D8, D8, D8, D8, D8, D8, D8, D8}}}
struct cache copse_cache_start = DUMMY_HOT, copse_cache_exited = DUMMY_HOT;

struct recycler copse_recyclers[CLASS_REGIONS];
u64 copse_generation;

/* Batches of empty bundles, EMPTIES_KEPT / 2 each: the threads that only free need what those that only allocate leave. */
static struct recycler empties;

static u64 spare_word(struct bundle *b, unsigned count) { return (uptr)b | count; }

/* How deep bundles of a class may be, by now. */
static unsigned depth_limit(unsigned class) {
  u64 size = class_size(class);
  /* relaxed: parameters stand on their own. */
  if (size <= 1024) return (unsigned)load_relaxed(&copse_tunables.depth_1k);
  if (size <= 8192) return (unsigned)load_relaxed(&copse_tunables.depth_8k);
  if (size <= 65536) return (unsigned)load_relaxed(&copse_tunables.depth_64k);
  return (unsigned)load_relaxed(&copse_tunables.depth_1m);
}

static unsigned recycler_cap(unsigned class, unsigned depth) {
  u64 most = max_u64(RECYCLER_BYTES / (depth * class_size(class)), 1);
  return (unsigned)min_u64(load_relaxed(&copse_tunables.recycler), most);
}

/* ---- empties ---- */

static void empty_put(struct cache *c, struct bundle *b) {
  if (c->empties_count >= EMPTIES_KEPT) {
    struct bundle *batch = c->empties, *last = batch;
    for (unsigned i = 1; i < EMPTIES_KEPT / 2; i++) last = last->batch;
    c->empties = last->batch;
    c->empties_count -= EMPTIES_KEPT / 2;
    last->batch = NULL;
    order_stores();
    if (!copse_recycler_push_mpmc(&empties, batch, RECYCLER_MAX)) {
      last->batch = c->empties;
      order_stores();
      c->empties = batch;
      c->empties_count += EMPTIES_KEPT / 2;
    }
  }
  b->batch = c->empties;
  /* A child of fork walks the list. */
  order_stores();
  c->empties = b;
  c->empties_count++;
}

static struct bundle *empty_take(struct cache *c) {
  if (!c->empties) {
    struct bundle *batch = copse_recycler_pop_mpmc(&empties);
    if (!batch) batch = copse_bundle_make(EMPTIES_KEPT / 4);
    c->empties = batch;
    for (; batch; batch = batch->batch) c->empties_count++;
  }
  struct bundle *b = c->empties;
  if (!b) return NULL;
  c->empties = b->batch;
  c->empties_count--;
  return b;
}

/* ---- the top ---- */

/* The bundle that the thread works on, away from its place; NULL where it is the dummy. */
static struct bundle *top_take(struct cache *c, unsigned place, unsigned *count) {
  void **top = load_relaxed(&c->hot.top[place]);
  *count = 0;
  if (!top_is_open(top)) return NULL;
  struct bundle *b = bundle_of(top);
  *count = bundle_count(b, top);
  store_relaxed(&b->held, (u64)*count);
  order_stores();
  /* relaxed: other threads read the top, and nothing through the dummy's. */
  store_relaxed(&c->hot.top[place], dummy_top());
  /* What follows writes the new place of the bundle and its slots. */
  order_stores();
  return b;
}

/* Makes it the bundle to work on, with `count` slots. */
static void top_put(struct cache *c, unsigned place, struct bundle *b, unsigned count) {
  /* release: pairs with the acquire in copse_cache_count_all: its slots and bottom are visible. */
  store_release(&c->hot.top[place], bundle_bottom(b) + count);
}

/* Takes the bundle's last slot on its way to the top. */
static void *top_put_and_pop(struct cache *c, unsigned class, struct bundle *b, unsigned count) {
  void *p = b->bottom[count - 1];
  top_put(c, class, b, count - 1);
  return p;
}

static u64 spare_exchange(struct cache *c, unsigned class, u64 word) {
  /* acq_rel: the release publishes the bundle's slots to a trim that takes it (copse_cache_take_spare), the acquire is
   * for the bundle that comes out, whose slots this thread wrote itself. */
  return exchange_acq_rel(&c->spare[class], word);
}

/* Puts an empty bundle away: as the spare if there is none. */
static void retire(struct cache *c, unsigned class, struct bundle *b) {
  if (!b) return;
  u64 none = 0;
  /* release: pairs with the acquire of a trim's exchange. */
  if (load_relaxed(&c->spare[class]) || !cas_release(&c->spare[class], &none, spare_word(b, 0))) empty_put(c, b);
}

/* ---- alloc ---- */

/*
 * The bundle may come from another processor, and so may the objects: their lines are asked for together, or else each would be
 * waited for at the first store to its object.  Slots of a page and more begin at the same few places of a cache and would drive
 * one another out; of those the addresses are enough.
 */
static void fetch(const struct bundle *b, unsigned class) {
  void *const *bottom = bundle_bottom(b);
  bool small = class_size(class) < SLOTWISE_SIZE;
  for (void *const *slot = b->slot + BUNDLE_SLOTS; slot-- > bottom;)
    if (small)
      prefetch_write(*slot);
    else if (((uptr)slot & 63) == 0)
      __builtin_prefetch(slot);
}

void *copse_cache_refill_owner(struct cache *c, unsigned class) {
  copse_cache_follow_owner(c);
  unsigned count;
  struct bundle *b = top_take(c, class, &count);
  must(count == 0);
  /* The spare, if it has anything: the empty one takes its place. */
  if (load_relaxed(&c->spare[class]) & SPARE_COUNT) {
    u64 spare = spare_exchange(c, class, b ? spare_word(b, 0) : 0);
    b = spare_bundle(spare); /* NULL: a trim was faster */
    count = (unsigned)(spare & SPARE_COUNT);
    if (count) return top_put_and_pop(c, class, b, count);
  }
  struct bundle *full = copse_recycler_pop_mpmc(recycler_of(class, c->arena));
  if (full) {
    retire(c, class, b);
    count_owner(&c->pops, 1);
    if (c->depth[class] < bundle_depth(full)) c->depth[class] = (u8)bundle_depth(full);
    if (full->giver != c) fetch(full, class);
    return top_put_and_pop(c, class, full, bundle_depth(full));
  }
  if (!b) b = empty_take(c);
  if (!b) return copse_direct_alloc(region_at(c->arena, class));
  unsigned limit = depth_limit(class), depth = c->depth[class] ? 2u * c->depth[class] : DEPTH_FIRST;
  if (depth > limit) depth = limit;
  bundle_open(b, depth);
  /* A block's worth at most: from a vacant one that is all of it, and what is freed first finds room. */
  count = copse_direct_take(region_at(c->arena, class), min_u64(depth, 64), b->bottom, &b->held);
  if (!count) {
    empty_put(c, b);
    return NULL;
  }
  c->depth[class] = (u8)depth;
  count_owner(&c->refills, 1);
  return top_put_and_pop(c, class, b, count);
}

/* ---- free ---- */

/* An empty bundle to free into, away from any place; NULL: no memory. */
static struct bundle *open_empty(struct cache *c, unsigned place, unsigned limit, struct bundle *b) {
  if (!b) b = empty_take(c);
  if (!b) return NULL;
  /* No deeper than it may be by now. */
  unsigned depth = c->depth[place] ? c->depth[place] : DEPTH_FIRST;
  c->depth[place] = (u8)(depth < limit ? depth : limit);
  bundle_open(b, c->depth[place]);
  return b;
}

/*
 * Makes room in a full bundle that is not as deep as it may be.  What moves is copied to where nothing is, before the bottom
 * says so: a child of fork finds the slots in either.
 */
static void deepen(struct bundle *b, unsigned count, unsigned depth) {
  void **from = b->bottom, **bottom = b->slot + BUNDLE_SLOTS - depth;
  unsigned moved = depth - count < count ? depth - count : count;
  for (unsigned i = 0; i < moved; i++) store_relaxed(&bottom[i], from[count - moved + i]);
  order_stores();
  bundle_open(b, depth);
}

/* A full bundle goes to where threads of that region look, or home. */
static struct bundle *pass_on(struct cache *c, unsigned region, struct bundle *b, unsigned count) {
  unsigned depth = bundle_depth(b);
  b->giver = c;
  if (count == depth && copse_recycler_push_mpmc(&copse_recyclers[region], b, recycler_cap(region_class(region), depth))) {
    count_owner(&c->pushes, 1);
    return NULL;
  }
  copse_direct_put(count, b->bottom, &b->held);
  count_owner(&c->flushes, 1);
  return b;
}

void copse_cache_spill_owner(struct cache *c, unsigned region, void *p) {
  copse_cache_follow_owner(c);
  unsigned place = place_of(c, region), class = region_class(region);
  void **top = load_relaxed(&c->hot.top[place]);
  if ((uptr)top & (BUNDLE_BYTES - 1)) {
    store_relaxed(top, p);
    store_release(&c->hot.top[place], top + 1); /* release: as in copse_hot_free_at_ */
    return;
  }
  /* What is freed for a neighbour is never taken from here again, and so has no use for a spare. */
  bool own = place < ARENA_REGIONS;
  unsigned count, limit = depth_limit(class);
  struct bundle *b = top_take(c, place, &count);
  must(!b || count == bundle_depth(b));
  if (b && count < limit) {
    unsigned depth = 2 * count > limit ? limit : 2 * count;
    deepen(b, count, depth);
    c->depth[place] = (u8)depth;
  } else if (b) {
    /* The full one becomes the spare; the spare that comes out is empty, or it goes on to whoever needs it. */
    if (own) {
      u64 spare = spare_exchange(c, class, spare_word(b, count));
      b = spare_bundle(spare);
      count = (unsigned)(spare & SPARE_COUNT);
    }
    if (count) b = pass_on(c, region, b, count);
    count = 0;
    b = open_empty(c, place, limit, b);
  } else {
    /* The first of its class: an empty spare serves. */
    u64 spare = own ? load_relaxed(&c->spare[class]) : 0;
    if (spare && !(spare & SPARE_COUNT)) b = spare_bundle(spare_exchange(c, class, 0));
    b = open_empty(c, place, limit, b);
  }
  if (!b) {
    copse_direct_put(1, &p, NULL);
    return;
  }
  store_relaxed(&b->bottom[count], p);
  top_put(c, place, b, count + 1);
}

/* ---- trim ---- */

/* A bundle with so many slots, from no place any more. */
static void give_back(struct cache *c, struct bundle *b, unsigned count) {
  if (count) {
    copse_direct_put(count, b->bottom, &b->held);
    count_owner(&c->flushes, 1);
  }
  empty_put(c, b);
}

void copse_cache_take_spare(struct cache *c, unsigned class, struct cache *of) {
  /* relaxed: only to spare the exchange where there is nothing. */
  if (!load_relaxed(&of->spare[class])) return;
  /* acquire: pairs with the release of the owner's exchange: the slots in the bundle are visible. */
  u64 spare = exchange_acquire(&of->spare[class], (u64)0);
  if (!spare) return;
  give_back(c, spare_bundle(spare), (unsigned)(spare & SPARE_COUNT));
}

void copse_cache_drain(struct cache *c, unsigned region) {
  struct bundle *b;
  /* Bounded: a recycler never holds more, and what comes in meanwhile can wait. */
  for (unsigned i = 0; i < RECYCLER_MAX && (b = copse_recycler_pop_mpmc(&copse_recyclers[region])); i++)
    give_back(c, b, bundle_depth(b));
}

void copse_cache_flush_owner(struct cache *c) {
  for (unsigned place = 0; place < places(); place++) {
    unsigned count;
    struct bundle *b = top_take(c, place, &count);
    if (b) give_back(c, b, count);
    if (place < CLASSES) copse_cache_take_spare(c, place, c);
    c->depth[place] = 0;
  }
}

void copse_cache_follow_owner(struct cache *c) {
  /* acquire: pairs with the release in copse_trim; nothing but the order of flush after the call is wanted. */
  u64 generation = load_acquire(&copse_generation);
  if (likely(load_relaxed(&c->seen) == generation)) return;
  copse_cache_flush_owner(c);
  /* release: pairs with the acquire in copse_trim_pending: who sees this sees the flushed pools. */
  store_release(&c->seen, generation);
}
