/* SPDX-License-Identifier: MIT */
/*
 * Two arenas: what a thread frees of a neighbour's goes to a bundle apart, and from there to the recycler or the pool
 * of its home; what one arena has not, another may have.  Threads a and c are of arena 0, b and d of arena 1.
 */
#include "scenarios.h"
#include "size_class.h"
#include "users.h"

static struct mail mail[2];
static unsigned class;

static void clean(void) {
  users_setup();
  class = SMALL;
  at_home = true;
  for (int i = 0; i < 2; i++) mail[i].p = NULL;
}

/* For those that go through all pools: no thread has anything to do with the other classes. */
static void others_idle(void) {
  for (unsigned arena = 0; arena < 2; arena++) {
    const struct pool *first = &copse_pools[region_at(arena, 0)];
    model_commute(first, class * sizeof *first);
    model_commute(first + class + 1, (CLASSES - class - 1) * sizeof *first);
  }
}

/* ---- threads ---- */

static void give_flush_take(void) {
  give_flush();
  take();
}
/* After its end: straight home. */
static void exited_give(void) {
  copse_self_ = &copse_cache_exited.hot;
  give();
}
static void post_one(void) {
  become();
  post(&mail[model_thread()], take_slot());
}
static void free_posted(void) {
  become();
  void *p = collect(&mail[0]);
  if (p) give_slot(p);
}
static void free_posted_take(void) {
  free_posted();
  take();
}
/* Each takes a slot, posts it, and frees the other's. */
static void swap(void) {
  post_one();
  void *p = collect(&mail[1 - model_thread()]);
  if (p) give_slot(p);
}
static void drain_home(void) {
  become();
  copse_cache_drain(records[model_thread()], region_at(0, class));
}

/* ---- the second arena comes to be ---- */

static struct cache *got[MODEL_THREADS];
static void attach(void) {
  struct cache *c = got[model_thread()] = copse_cache_attach();
  check(c);
  check(copse_pools[region_at(c->arena, class)].slots_max > 0);
}
static void reach(void) { check(copse_pools_reach(1) && copse_pools_arenas() == 2); }
/* All that there is may be used. */
static void look_at_pools(void) {
  unsigned n = 0;
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) n += p->slots_max > 0;
  check(n == CLASSES || n == 2 * CLASSES);
}
static void spread(void) {
  /* Each record is one thread's, and they go round. */
  for (int i = 0; i < MODEL_THREADS; i++)
    for (int k = 0; k < i; k++) check(!got[i] || got[i] != got[k]);
  for (struct cache *c = copse_cache_first(); c; c = c->next) check(c->arena == c->number % 2);
  conserved(region_at(0, class));
  conserved(region_at(1, class));
}
static void alone(void) {
  clean();
  for (int i = 0; i < MODEL_THREADS; i++) got[i] = NULL;
}

/* ---- setups ---- */

static void fresh(void) { clean(); }
static void fresh_others_idle(void) {
  clean();
  others_idle();
}
/* Each has some of the other's, and its own bundle is empty. */
static void crossed(void) {
  clean();
  own(0, 4, 1);
  own(1, 4, 0);
}
/* The bundle that thread b keeps apart for arena 0 is full, and it has more for it. */
static void apart_full(void) {
  clean();
  own(0, 8, 1);
  own(1, 1, 0);
  holds[0]--; /* that one stays with it */
  free_own(1, 4);
}
static void apart_full_others_idle(void) {
  apart_full();
  others_idle();
}
/* The same, and the recycler of arena 0 is full: what is next goes to the pool. */
static void home_full(void) {
  clean();
  own(0, 12, 1);
  own(1, 1, 0);
  holds[0]--;
  free_own(1, 8);
  check(recycler_count(&copse_recyclers[region_at(0, class)]) == 1);
}
static void home_full_others_idle(void) {
  home_full();
  others_idle();
}
/* A bundle is in each arena's recycler, and thread a's is empty. */
static void both_recycled(void) {
  clean();
  own(0, 9, 1);
  own(1, 12, 2);
  free_own(1, 9);
  free_own(2, 9);
  own(0, 3, 0);
  check(recycler_count(&copse_recyclers[region_at(0, class)]) == 1);
  check(recycler_count(&copse_recyclers[region_at(1, class)]) == 1);
  others_idle();
}
/* Threads b and d both have a full bundle apart. */
static void both_apart(void) {
  clean();
  own(0, 6, 1);
  own(2, 6, 3);
  free_own(1, 4);
  free_own(3, 4);
}
static void both_apart_others_idle(void) {
  both_apart();
  others_idle();
}
/* No slot of a page is left in arena 0, and no memory comes; arena 1 has some. */
static void one_is_out(void) {
  clean();
  slot_size = 4096;
  class = class_of_size(slot_size);
  own(0, 4, 0);
  own(1, 4, 1);
  free_own(1, 3);
  copse_self_ = &records[1]->hot;
  copse_thread_flush();
  check(records[0]->hot.top[class][-1] == NULL);
  refuse_from = 1;
  at_home = false;
}
static void one_is_out_by_limit(void) {
  one_is_out();
  refuse_from = 0;
  copse_tunables.limit = copse_vm_counters.in_use;
}
/* What it has of a neighbour's was borrowed when its own arena had none. */
static void borrowed(void) {
  one_is_out_by_limit();
  copse_self_ = &records[0]->hot;
  void *p = copse_alloc(slot_size);
  check(p && region_of(p) == region_at(1, class));
  have_slot_of(0, p);
  held[0][holds[0]++] = p;
}

static void whole(void) {
  for (int i = 0; i < 2; i++)
    if (mail[i].p) have_slot_of(MODEL_THREADS, mail[i].p);
  conserved(region_at(0, class));
  conserved(region_at(1, class));
  if (at_home) recyclers_at_home(class);
}
static void trimmed(void) {
  whole();
  for (unsigned arena = 0; arena < 2; arena++) check(recycler_count(&copse_recyclers[region_at(arena, class)]) == 0);
}
static void served(void) {
  whole();
  check(holds[0] == 5 && region_arena(region_of(held[0][4])) == 1);
}

#define A(name_, once_, setup_, final_, ...)                                                                           \
  {                                                                                                                    \
    .name = "arenas/" name_, .once = once_, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }                \
  }
#define S(name_, setup_, final_, ...) A(name_, library_up_arenas, setup_, final_, __VA_ARGS__)
#define R(name_, setup_, final_, ...) A(name_, library_up_first_arena, setup_, final_, __VA_ARGS__)
const struct scenario arena_scenarios[] = {
    S("refill-refill", fresh, whole, take_one, take_one),
    S("refill-refill-refill", fresh, whole, take_one, take_one, take_one),
    S("cross-free", fresh, whole, post_one, free_posted),
    S("cross-free-take", fresh, whole, post_one, free_posted_take, take_one),
    S("cross-free-both", fresh, whole, swap, swap),
    S("crossed-give-take", crossed, whole, give_flush_take, give_flush_take),
    S("apart-goes-home", apart_full, whole, take_one, give_one),
    S("apart-goes-home-twice", apart_full, whole, take_two, give_two, take_one),
    S("apart-home-full", home_full, whole, take_give, give_one),
    S("apart-home-full-two", home_full, whole, take_one, give_one, take_one),
    S("two-apart-one-home", both_apart, whole, take_one, give_one, idle, give_one),
    S("two-apart-for-the-cap", both_apart, whole, idle, give_two, idle, give_two),
    S("apart-against-drain", apart_full, whole, drain_home, give_one),
    S("apart-against-robbery", home_full, whole, give_take, give_one, rob),
    S("flush-apart", apart_full, whole, take_one, give_flush),
    S("flush-flush-apart", both_apart, whole, idle, flush, idle, give_flush),
    S("exit-with-apart", apart_full, whole, take_one, leave),
    S("exit-after-apart-goes-home", apart_full, whole, take_one, give_leave),
    S("exit-exit-apart", both_apart, whole, idle, give_leave, idle, leave),
    S("after-exit", crossed, whole, take_one, exited_give),
    S("count-against-apart", apart_full, whole, count, give_one),
    S("taken-elsewhere", one_is_out, served, take_one, idle),
    S("taken-elsewhere-against-give", one_is_out, served, take_one, give_flush),
    S("taken-elsewhere-against-take", one_is_out, whole, take_one, take_one),
    S("taken-elsewhere-twice", one_is_out, whole, take_two, give_flush, take_one),
    S("taken-elsewhere-by-limit", one_is_out_by_limit, whole, take_one, take_one),
    S("borrowed-goes-home", borrowed, whole, give_flush, take_one),
    S("trim-against-cross-free", apart_full_others_idle, whole, trim, give_one),
    S("trim-home-full", home_full_others_idle, whole, trim, give_one),
    S("trim-empties-both", both_recycled, trimmed, take_one, idle, trim),
    S("trim-against-refills", fresh_others_idle, whole, take_one, trim, take_one),
    S("trim-against-exit", apart_full_others_idle, whole, trim, give_leave),
    S("trim-trim", both_apart_others_idle, whole, idle, trim, idle, trim),
    S("behind-means-flushed", apart_full_others_idle, whole, trim_and_ask, checkpoint),
    S("stats-against-apart", apart_full_others_idle, whole, look, give_one),
    S("reclaim-against-apart", apart_full_others_idle, whole, reclaim, give_one),
    R("reach-reach", alone, spread, reach, reach),
    R("reach-against-look", alone, spread, reach, look_at_pools, look_at_pools),
    R("attach-against-look", alone, spread, attach, look_at_pools),
    {.name = NULL},
};
