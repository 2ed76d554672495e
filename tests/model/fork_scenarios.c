/* SPDX-License-Identifier: MIT */
/*
 * Fork.  Of the parent: its locks against users and other forks.  Of the child: the other threads are not there any
 * more, each left at any of its operations; after the library's handler each slot is in one place, in the hands of a
 * thread that is gone, or counted as lost, and the child's thread goes on as if it had always been alone.
 */
#include "engine.h"
#include "fork.h"
#include "scenarios.h"
#include "size_class.h"
#include "span_state.h"
#include "users.h"

static unsigned class;
static u64 *spans[MODEL_THREADS];

static void clean(void) {
  users_setup();
  class = SMALL;
  for (int i = 0; i < MODEL_THREADS; i++) spans[i] = NULL;
}

/* The handlers are registered, and copse is not up. */
static void registered(void) {
  library_before_start();
  copse_fork_register();
}

/* ---- the parent's side ---- */

static void fork_bare(void) {
  wrap_fork.prepare();
  wrap_fork.parent();
}
static void forker(void) {
  become();
  wrap_fork.prepare();
  /* Its own locks do not hold it up in between. */
  take();
  give();
  wrap_fork.parent();
}
/* Another library's handler is the first to allocate. */
static void begin_and_start(void) {
  wrap_fork.prepare();
  take();
  check(copse_started());
}
static void starter(void) {
  begin_and_start();
  give();
  wrap_fork.parent();
}
static void user(void) {
  take();
  give();
}
static void span_user(void) { check((spans[model_thread()] = copse_span_alloc(4096, 1, false))); }
static void trimmer(void) { copse_pool_trim(&copse_pools[class], 0); }

/* ---- the child's side ---- */

/* In between, as in the parent, other libraries' handlers may allocate. */
static void child(void) {
  become();
  wrap_fork.prepare();
  model_survive();
  wrap_fork.child();
  take();
  give();
}
static void child_that_started(void) {
  begin_and_start();
  records[0] = cache_of_thread();
  model_survive();
  wrap_fork.child();
  give();
  trimmer();
}
/* With a record that the child's thread was never given. */
static void child_without_record(void) {
  copse_self_ = &copse_cache_start.hot;
  wrap_fork.prepare();
  model_survive();
  wrap_fork.child();
  take();
}
/* It forks again, and then there is nobody left to be lost. */
static void child_of_child(void) {
  child();
  u64 lost = copse_pools[class].lost;
  wrap_fork.prepare();
  wrap_fork.child();
  check(copse_pools[class].lost == lost);
}
static void child_that_trims(void) {
  child();
  copse_trim();
  check(copse_trim_pending() == 0);
}
static void child_span(void) {
  child();
  u64 *p = copse_span_alloc(4096, 1, true);
  if (!p) return; /* the other one had the last granule */
  check(!p[0]);
  p[0] = 1;
  check(copse_span_free(p));
}

/* ---- threads that are not in the child ---- */

static void attach(void) {
  struct cache *c = copse_cache_attach();
  check(c);
  copse_self_ = &c->hot;
}
static void attach_take(void) {
  attach();
  take();
}
static void put_and_trim(void) {
  become();
  give();
  copse_pool_trim(&copse_pools[class], 0);
}
/* As soon as there is one. */
static void take_from_pool(void) {
  void *p;
  unsigned taken;
  if (!copse_started()) return;
  busy[model_thread()] = 1;
  check(copse_pool_take(&copse_pools[class], 1, &p, &taken) == POOL_TAKEN);
}
static void span_take_give(void) {
  u64 *p = copse_span_alloc(4096, 1, false);
  p[0] = 1;
  check(copse_span_free(p));
}
static void span_give(void) {
  u64 *p = spans[model_thread()];
  spans[model_thread()] = NULL;
  check(copse_span_free(p));
}
static void span_grow(void) { copse_span_resize(spans[model_thread()], GRANULE + 4096); }
static void span_trim(void) { copse_span_trim(); }

/* ---- setups ---- */

static void fresh(void) { clean(); }
static void one_each(void) {
  clean();
  own(0, 1, 0);
  own(1, 2, 1);
}
/* Thread b's top and spare are full: what it frees next goes to the recycler, and then to the pool. */
static void brimming(void) {
  clean();
  own(1, 12, 1);
  free_own(1, 8);
}
static void brimming_no_room(void) {
  clean();
  own(1, 16, 1);
  free_own(1, 12);
  check(recycler_count(&copse_recyclers[SMALL]) == 1);
}
/* Thread b's bundle is full, and not as deep as it may be by now. */
static void shallow(void) {
  clean();
  own(1, 8, 1);
  free_own(1, 4);
  copse_tunables.depth_1k = 8;
}
/* Thread b's top is empty; there is a bundle for it in the recycler. */
static void recycled(void) {
  clean();
  own(1, 4, 1);
  own(2, 12, 2);
  free_own(2, 9);
  check(recycler_count(&copse_recyclers[SMALL]) == 1);
}
/* Its spare has something. */
static void spare(void) {
  clean();
  own(1, 12, 1);
  free_own(1, 8);
  own(1, 4, 1);
}
/* The forking thread's spare is full. */
static void own_spare(void) {
  clean();
  own(0, 8, 0);
  free_own(0, 8);
}
static void some_free(void) {
  clean();
  slot_size = 1024;
  class = class_of_size(slot_size);
  own(0, 1, 0);
  own(1, 2, 1);
  copse_self_ = &records[1]->hot;
  copse_thread_flush();
}
static void one_record_free(void) {
  clean();
  copse_cache_detach_owner(records[1]);
}
static void refused(void) {
  clean();
  refuse_from = 1;
}
static void span_each(void) {
  clean();
  for (int i = 0; i < 2; i++) spans[i] = copse_span_alloc(4096, 1, false);
}
/* Two arenas: thread b has a full bundle apart, of thread a's slots. */
static void apart(void) {
  clean();
  own(0, 6, 1);
  free_own(1, 4);
}
static void apart_no_room(void) {
  clean();
  own(0, 14, 1);
  free_own(1, 12);
  check(recycler_count(&copse_recyclers[SMALL]) == 1);
}

/* ---- final checks ---- */

static void distinct(void) {
  for (unsigned c = SMALL; c <= class; c += class ? class : 1) conserved(c);
  check(copse_span_valid());
}

static void as_in_child(unsigned region) {
  u64 hands = 0;
  for (int i = 1; i < MODEL_THREADS; i++) hands += (u64)busy[i];
  check(slots_nowhere(region) <= hands);
}
static void whole(void) {
  as_in_child(class);
  /* No granule is on its way to where nobody takes it. */
  check(!busy[0] && copse_span_valid() && !copse_span_state.flight[0] && !copse_span_state.flight_bytes);
  /* The records of those that are gone are anybody's. */
  for (struct cache *c = copse_cache_first(); c; c = c->next) check(!c->taken || &c->hot == &records[0]->hot);
}
static void whole_arenas(void) {
  whole();
  as_in_child(region_at(1, class));
}
/* The record that has no thread here belongs to the child's now, or to nobody. */
static void whole_without_record(void) {
  as_in_child(class);
  unsigned taken = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next) taken += c->taken;
  check(taken == 1);
}

#define F(name_, once_, setup_, final_, ...)                                                                           \
  .name = "fork/" name_, .once = once_, .own_tls = true, .setup = setup_, .final = final_, .thread = {__VA_ARGS__}
#define P(name_, ...)                                                                                                  \
  { F(name_, library_up, fresh, distinct, __VA_ARGS__) }
#define C(name_, setup_, ...)                                                                                          \
  { F("child-" name_, library_up, setup_, whole, __VA_ARGS__), .forks = true }
#define A(name_, setup_, ...)                                                                                          \
  { F("child-" name_, library_up_arenas, setup_, whole_arenas, __VA_ARGS__), .forks = true }
const struct scenario fork_scenarios[] = {
    P("against-allocation", forker, take_one),
    P("against-two", forker, take_one, trimmer),
    P("against-span", forker, span_user),
    P("two-forks", fork_bare, fork_bare),
    P("two-forks-that-allocate", forker, forker),
    {F("starts", registered, fresh, distinct, starter, user)},
    C("of-take-give", one_each, child, take_give),
    C("of-give", one_each, child, give_two),
    C("of-refill", fresh, child, take_one),
    C("of-refill-from-recycler", recycled, child, take_one),
    C("of-refill-from-spare", spare, child, take_one),
    C("of-refusal", refused, child, take_one),
    C("of-spill", brimming, child, give_two),
    C("of-spill-no-room", brimming_no_room, child, give_two),
    C("of-deepening", shallow, child, give_one),
    C("of-flush", brimming, child, flush),
    C("of-batch", brimming, child, give_them),
    C("of-batch-taken", recycled, child, take_six),
    C("of-exit", brimming, child, leave),
    C("of-attach", one_record_free, child, attach_take),
    C("of-attach-new", fresh, child, attach),
    C("of-robbery", own_spare, child, rob),
    C("of-drain", recycled, child, drain),
    C("of-trim", some_free, child, put_and_trim),
    C("of-two-users", one_each, child, give_one, take_one),
    C("of-two-spills", brimming, child, give_one, take_one),
    C("that-forks", brimming, child_of_child, give_one),
    C("that-trims", brimming, child_that_trims, give_one),
    {F("child-without-record", library_up, brimming, whole_without_record, child_without_record, give_one),
     .forks = true},
    {F("child-that-started", registered, fresh, whole, child_that_started, take_from_pool), .forks = true},
    C("of-span-take-give", fresh, child_span, span_take_give),
    C("of-span-give", span_each, child_span, span_give),
    C("of-span-grow", span_each, child_span, span_grow),
    C("of-span-trim", span_each, child_span, span_trim),
    A("of-cross-spill", apart, child, give_two),
    A("of-cross-spill-no-room", apart_no_room, child, give_two),
    A("of-cross-exit", apart, child, leave),
    A("of-neighbours-refill", fresh, child, take_one),
    {.name = NULL},
};
