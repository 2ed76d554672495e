/* SPDX-License-Identifier: MIT */
/* Threads' caches, the recycler and the pool together, by the hot path; and the registry of records. */
#include "scenarios.h"
#include "users.h"

static struct mail mail[4];

static void clean(void) {
  users_setup();
  for (int i = 0; i < 4; i++) mail[i].p = NULL;
}

static void all_there(void) {
  for (int i = 0; i < 4; i++)
    if (mail[i].p) have_slot_of(MODEL_THREADS, mail[i].p);
  conserved(SMALL);
}

/* ---- threads ---- */

static void post_one(void) {
  become();
  post(&mail[0], take_slot());
}
static void post_two(void) {
  become();
  post(&mail[0], take_slot());
  post(&mail[1], take_slot());
}
static void free_posted(void) {
  become();
  for (int i = 0; i < 2; i++) {
    void *p = collect(&mail[i]);
    if (p) give_slot(p);
  }
}
static void free_posted_take(void) {
  free_posted();
  take();
}
/* After its thread's end each operation goes to the pool. */
static void exited_take_give(void) {
  copse_self_ = &copse_cache_exited.hot;
  take();
  give();
}

static void give_all(void) {
  become();
  while (holds[model_thread()]) give();
}

static struct cache *got[MODEL_THREADS];
static void attach(void) {
  got[model_thread()] = copse_cache_attach();
  check(got[model_thread()]);
  /* It is this thread's alone. */
  got[model_thread()]->empties_count = 0;
}
static void detach(void) { copse_cache_detach_owner(records[model_thread()]); }
static void distinct(void) {
  for (int i = 0; i < MODEL_THREADS; i++)
    for (int k = 0; k < i; k++) check(!got[i] || got[i] != got[k]);
  /* And in the registry. */
  for (int i = 0; i < MODEL_THREADS; i++) {
    struct cache *c = copse_cache_first();
    while (got[i] && c && c != got[i]) c = c->next;
    check(!got[i] || c);
  }
}
static void attach_use(void) {
  struct cache *c = copse_cache_attach();
  copse_self_ = &c->hot;
  take();
}

/* ---- setups ---- */

static void fresh(void) { clean(); }
static void one_each(void) {
  clean();
  own(0, 1, 0);
  own(1, 1, 1);
}
/* Its top is full, and so is its spare: what it frees next goes to the recycler.  It has four slots left. */
static void full(int thread) {
  own(thread, 12, thread);
  free_own(thread, 8);
  check(records[thread]->hot.top[SMALL] == bundle_of(records[thread]->hot.top[SMALL])->slot + BUNDLE_SLOTS);
  check((records[thread]->spare[SMALL] & SPARE_COUNT) == 4 && !recycler_count(&copse_recyclers[SMALL]));
}
static void both_full(void) {
  clean();
  full(0);
  full(1);
}
static void full_and_empty(void) {
  clean();
  full(0);
}
static void recycler_filled(void) {
  clean();
  full(0);
  free_own(0, 1);
  check(recycler_count(&copse_recyclers[SMALL]) == 1);
}
/* The top is empty, the spare is not. */
static void spare_only(void) {
  clean();
  full(0);
  own(0, 4, 0);
}
/* The top is full, the spare empty. */
static void empty_spare(void) {
  clean();
  full(0);
  own(0, 5, 0);
  free_own(0, 1);
  check(records[0]->spare[SMALL] && !(records[0]->spare[SMALL] & SPARE_COUNT));
}
/* Thread 1's top is empty, it has no spare, and there is a bundle for it in the recycler. */
static void about_to_retire(void) {
  clean();
  own(1, 4, 1);
  full(0);
  free_own(0, 1);
  check(recycler_count(&copse_recyclers[SMALL]) == 1 && !records[1]->spare[SMALL]);
}
/* Thread 0 has slots, and not a bundle yet: those that it makes are new to whoever looks at them. */
static void no_bundle(int n) {
  clean();
  for (int i = 0; i < n; i++) {
    void *p = copse_direct_alloc(SMALL);
    check(p);
    held[0][holds[0]++] = p;
    have_slot_of(0, p);
  }
}
static void no_bundle_five(void) { no_bundle(5); }
static void no_bundle_nine(void) { no_bundle(9); }
static void two_recycled(void) {
  clean();
  copse_tunables.recycler = 2;
  own(3, 12, 3); /* before there is anything to pop */
  full(0);
  free_own(0, 1);
  free_own(3, 9);
  check(recycler_count(&copse_recyclers[SMALL]) == 2);
}
static void many_empties(void) {
  clean();
  full(0);
  struct bundle *b = copse_bundle_make(EMPTIES_KEPT);
  struct cache *c = records[1];
  for (unsigned i = 0; i < EMPTIES_KEPT; i++) b[i].batch = i + 1 < EMPTIES_KEPT ? &b[i + 1] : NULL;
  c->empties = b;
  c->empties_count = EMPTIES_KEPT;
}
static void no_record_free(void) {
  clean();
  for (int i = 0; i < MODEL_THREADS; i++) got[i] = NULL;
}
static void one_record_free(void) {
  no_record_free();
  copse_cache_detach_owner(records[3]);
}
static void batches_only(void) {
  become();
  copse_cache_take_spare(records[model_thread()], SMALL, records[1 - model_thread() % 2]);
}
static void take_five(void) {
  become();
  for (int i = 0; i < 5; i++) take();
}
/* What thread b retired is opened again here. */
static void rob_and_use(void) {
  become();
  copse_cache_take_spare(records[model_thread()], SMALL, records[1]);
  take();
}
static void first_bundle(void) {
  become();
  take();
}

#define S(name_, setup_, final_, ...)                                                                                  \
  {                                                                                                                    \
    .name = "cache/" name_, .once = library_up, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }            \
  }
const struct scenario cache_scenarios[] = {
    S("refill-refill", fresh, all_there, take_one, take_one),
    S("refill-refill-refill", fresh, all_there, take_one, take_one, take_one),
    S("take-give-both", fresh, all_there, take_give, take_give),
    S("cross-thread-free", fresh, all_there, post_one, free_posted),
    S("producer-consumer", fresh, all_there, post_two, free_posted_take),
    S("free-own-both", one_each, all_there, give_take, give_take),
    S("spill-spill-cap", both_full, all_there, give_one, give_one),
    S("spill-spill-twice", both_full, all_there, give_two, give_two),
    S("spill-against-refill", full_and_empty, all_there, give_two, take_one),
    S("spill-against-refill-twice", full_and_empty, all_there, give_two, take_two, take_one),
    S("exchange-against-refill", recycler_filled, all_there, give_one, take_one, take_one),
    S("one-bundle-two-takers", recycler_filled, all_there, idle, take_one, take_one),
    S("drain-against-take", recycler_filled, all_there, drain, take_one),
    S("drain-against-drain", recycler_filled, all_there, drain, drain, take_one),
    S("spare-taken-while-refilling", spare_only, all_there, take_one, rob),
    S("spare-taken-while-spilling", full_and_empty, all_there, give_one, rob),
    S("spare-taken-twice", spare_only, all_there, take_one, rob, rob),
    S("retired-bundle-taken", about_to_retire, all_there, batches_only, take_one),
    S("retired-bundle-taken-twice", about_to_retire, all_there, batches_only, take_one, batches_only),
    S("retired-bundle-used-again", two_recycled, all_there, idle, take_five, rob_and_use),
    S("empty-spare-taken", empty_spare, all_there, give_take, rob),
    S("flush-against-robbery", full_and_empty, all_there, flush, rob),
    S("flush-flush", both_full, all_there, give_flush, flush),
    S("exit-against-robbery", full_and_empty, all_there, leave, rob),
    S("exit-against-exit", both_full, all_there, give_leave, leave),
    S("after-exit-against-cache", one_each, all_there, exited_take_give, take_give),
    S("empties-batch", many_empties, all_there, idle, batches_only, first_bundle),
    S("count-against-refill", spare_only, all_there, take_two, count),
    S("count-against-spill", full_and_empty, all_there, give_one, count),
    S("count-against-flush", full_and_empty, all_there, flush, count),
    S("count-against-first-spare", no_bundle_five, all_there, give_all, count),
    S("count-against-first-push", no_bundle_nine, all_there, give_all, count),
    S("count-against-batch", no_bundle_five, all_there, give_them, count),
    S("count-against-batch-taken", spare_only, all_there, take_six, count),
    S("batch-batch", clean, all_there, take_six, take_six),
    S("batch-against-robbery", spare_only, all_there, take_six, rob),
    S("attach-attach-new", no_record_free, distinct, attach, attach),
    S("attach-attach-one-free", one_record_free, distinct, attach, attach),
    S("attach-three", one_record_free, distinct, attach, attach, attach),
    S("attach-against-detach", full_and_empty, all_there, detach, attach_use),
    {.name = NULL},
};
