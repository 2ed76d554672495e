/* SPDX-License-Identifier: MIT */
/* A pool on its own: taking and putting, growth, and giving pages back.  Also bundles' and metadata's memory, and the
 * limit. */
#include "bundle.h"
#include "library.h"
#include "region.h"
#include "scenarios.h"
#include "size_class.h"

enum { PAGE_SIZE = 4096 };
static unsigned class;
static void *held[MODEL_THREADS][8];
static unsigned holds[MODEL_THREADS];
static unsigned refused;

static struct pool *pool(void) { return &copse_pools[class]; }

static void clean(void) {
  library_setup();
  class = SMALL;
  refused = 0;
  for (int i = 0; i < MODEL_THREADS; i++) holds[i] = 0;
}

static enum pool_outcome take_of(int thread, unsigned n) {
  void *out[8];
  unsigned taken = 0;
  enum pool_outcome outcome = copse_pool_take(pool(), n, out, &taken);
  if (outcome != POOL_TAKEN) return outcome;
  check(taken >= 1 && taken <= n);
  for (unsigned i = 0; i < taken; i++) {
    have_slot_of(thread, out[i]);
    held[thread][holds[thread]++] = out[i];
  }
  return outcome;
}

static void put_of(int thread, unsigned n) {
  void *slots[8];
  unsigned some = 0;
  for (; some < n && holds[thread]; some++) {
    slots[some] = held[thread][--holds[thread]];
    lose_slot_of(thread, slots[some]);
  }
  copse_pool_put(pool(), some, slots);
}

static void whole(void) { conserved(class); }

/* ---- threads ---- */

static void take(void) { check(take_of(model_thread(), 2) == POOL_TAKEN); }
static void take_if(void) { take_of(model_thread(), 2); }
static void put(void) { put_of(model_thread(), 2); }
static void take_put(void) {
  take();
  put();
}
static void put_take(void) {
  put();
  take();
}
static void trim(void) { copse_pool_trim(pool(), 0); }
static void trim_cooling(void) { copse_pool_trim(pool(), 1); }
static void put_trim(void) {
  put();
  trim();
}
static void count(void) {
  struct pool_count c;
  copse_pool_count(pool(), &c);
  check(c.free + c.detached + c.uncommitted + c.lost <= 64 * c.blocks);
}
/* What a walk sees of a block is what it was at one instant: nothing that somebody holds all the time is free there. */
static void look(void) {
  struct copse_block blocks[2];
  u64 seen = copse_pool_look(pool(), 0, blocks, 2);
  check(seen >= 1 && !(blocks[0].bare & ~blocks[0].free));
  for (unsigned i = 0; i < holds[0]; i++) {
    u64 slot = (u64)((char *)held[0][i] - (char *)blocks[0].address) / blocks[0].size;
    check(slot < blocks[0].slots && !(blocks[0].free >> slot & 1));
  }
}
static void valid(void) { check(copse_pool_valid(pool())); }
static void take_zero(void) {
  void *p;
  bool zero = false;
  if (copse_pool_take_one(pool(), &p, &zero) != POOL_TAKEN) return;
  if (zero) check(*(u64 *)p == 0);
  have_slot_of(model_thread(), p);
  held[model_thread()][holds[model_thread()]++] = p;
}
static void zero_put_zero(void) {
  take_zero();
  put_of(model_thread(), 1);
  take_zero();
}
static void refused_take(void) {
  if (take_of(model_thread(), 2) == POOL_REFUSED) __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
}
static void *claimed[MODEL_THREADS];
static void claim(void) {
  char *p = claimed[model_thread()] = copse_region_own_committed(64, 64);
  check(p);
  p[0] = 1;
}
static void make_bundles(void) {
  struct bundle *b = copse_bundle_make(2);
  check(b && b->batch);
  claimed[model_thread()] = b;
  bundle_open(b, 4);
}
/* A bundle whose memory is only just there. */
static void push_fresh(void) {
  struct bundle *b = copse_bundle_make(1);
  check(b);
  bundle_open(b, 4);
  check(copse_recycler_push_mpmc(&copse_recyclers[SMALL], b, 8));
}
static void count_recycled(void) {
  u64 slots = copse_recycler_slots(&copse_recyclers[SMALL]);
  check(slots == 0 || slots == 4 || slots == 8);
}
static void distinct(void) {
  for (int i = 0; i < MODEL_THREADS; i++)
    for (int k = 0; k < i; k++) check(!claimed[i] || claimed[i] != claimed[k]);
}
static u64 charged;
static void charge(void) {
  if (copse_vm_charge(10)) __atomic_fetch_add(&charged, 10, __ATOMIC_RELAXED);
}
static void charge_uncharge(void) {
  if (copse_vm_charge(10)) copse_vm_uncharge(10);
}
static void never_above(void) {
  check(copse_vm_counters.in_use == charged && charged <= 15);
  check(charged == 10);
}
static void maybe_refused(void) { check(copse_vm_counters.in_use == charged && charged <= 15); }

/* ---- setups ---- */

static void fresh(void) { clean(); }
/* A block in use, whose free slots hold whole pages, and something in it was freed since the last trim. */
static void some_free(void) {
  clean();
  class = class_of_size(1024);
  take_of(0, 4);
  take_of(1, 2);
  put_of(0, 2);
}
/* The same with slots that no page fits in: there is nothing to give back. */
static void tiny_free(void) {
  clean();
  take_of(0, 2);
  take_of(1, 2);
}
static void slotwise(void) {
  clean();
  class = class_of_size(PAGE_SIZE);
  take_of(0, 2);
  take_of(1, 2);
}
static void slotwise_dirty(void) {
  slotwise();
  put_of(1, 2);
}
/* One block, of which a little is taken; with the next ones it grows. */
static void one_taken(void) {
  clean();
  class = class_of_size(1024);
  copse_tunables.growth_min = copse_tunables.growth_max = 4096;
  take_of(0, 2);
}
static void slotwise_fresh(void) {
  clean();
  class = class_of_size(PAGE_SIZE);
}
static void system_refuses(void) {
  clean();
  refuse_from = -1;
}
static void system_refuses_all(void) {
  clean();
  refuse_from = 1;
}
/* All that is free is about to be detached, and there is no room to grow. */
static void limited(void) {
  some_free();
  copse_tunables.limit = copse_vm_counters.in_use + 1;
}
static void limit_of_one(void) {
  clean();
  charged = copse_vm_counters.in_use = 0;
  copse_tunables.limit = 15;
}
/* The whole block is free, and warm. */
static void vacant(void) {
  some_free();
  put_of(0, 2);
  put_of(1, 2);
}
static void all_refused(void) {
  whole();
  check(refused == 2);
}
static void nobody_has(void) {
  for (int i = 0; i < MODEL_THREADS; i++) claimed[i] = NULL;
  clean();
}

#define S(name_, setup_, final_, ...)                                                                                  \
  {                                                                                                                    \
    .name = "pool/" name_, .once = library_up, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }             \
  }
const struct scenario pool_scenarios[] = {
    S("take-take", some_free, whole, take, take),
    S("take-take-take", tiny_free, whole, take, take, take),
    S("put-put-one-block", tiny_free, whole, put, put),
    S("take-against-put", some_free, whole, put, put_take),
    S("take-put-both", some_free, whole, take_put, take_put),
    S("growth-against-growth", fresh, whole, take, take),
    S("growth-three", fresh, whole, take, take, take),
    S("growth-or-refusal", system_refuses, whole, take_if, take_if),
    S("growth-all-refused", system_refuses_all, all_refused, refused_take, refused_take),
    S("growth-against-trim", fresh, whole, take, trim),
    S("growth-against-count", fresh, whole, take, count),
    S("trim-against-take", some_free, whole, trim, take_if),
    S("trim-against-put", some_free, whole, trim, put),
    S("trim-against-take-put", some_free, whole, trim, take_put),
    S("trim-trim", some_free, whole, put_trim, put_trim),
    S("trim-cooling", some_free, whole, put, trim_cooling, trim_cooling),
    S("trim-vacant-against-take", vacant, whole, trim, take_put),
    S("trim-vacant-twice", vacant, whole, trim, trim, take),
    S("detached-against-limit", limited, whole, trim, take_if),
    S("detached-against-count", some_free, whole, trim, count),
    S("detached-against-check", some_free, whole, trim, valid),
    S("look-against-trim", some_free, whole, look, trim),
    S("look-against-take-put", some_free, whole, look, take_put),
    S("look-against-growth", one_taken, whole, look, take, take),
    S("slotwise-look-against-trim", slotwise_dirty, whole, look, trim),
    S("slotwise-take-take", slotwise_dirty, whole, take, take),
    S("slotwise-trim-against-put", slotwise, whole, trim, put),
    S("slotwise-trim-against-take", slotwise_dirty, whole, trim, take),
    S("slotwise-zero-against-trim", slotwise_dirty, whole, trim, take_zero, take_zero),
    S("slotwise-zero-against-put", slotwise, whole, put, take_zero, trim),
    S("slotwise-zero-growth", slotwise_fresh, whole, zero_put_zero, zero_put_zero),
    S("own-region-claims", nobody_has, distinct, claim, claim, claim),
    S("bundles-made", nobody_has, distinct, make_bundles, make_bundles),
    S("fresh-bundle-counted", nobody_has, NULL, push_fresh, count_recycled),
    S("fresh-bundles-counted", nobody_has, NULL, push_fresh, count_recycled, push_fresh),
    S("limit-two-charges", limit_of_one, never_above, charge, charge, charge),
    S("limit-uncharge", limit_of_one, maybe_refused, charge, charge_uncharge, charge),
    {.name = NULL},
};
