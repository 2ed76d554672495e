/* SPDX-License-Identifier: MIT */
/* Across the whole library: copse_trim against those who allocate, free and end; who is behind; statistics; and the
 * last resort. */
#include "scenarios.h"
#include "size_class.h"
#include "users.h"

/* ---- setups ---- */

static void fresh(void) {
  users_setup();
  /* A trim goes through all pools, and the orders in which two threads lock idle ones multiply. */
  unsigned page = class_of_size(4096);
  model_commute(&copse_pools[SMALL + 1], (page - SMALL - 1) * sizeof copse_pools[0]);
  model_commute(&copse_pools[page + 1], (CLASSES - page - 1) * sizeof copse_pools[0]);
}
static void cached(void) {
  fresh();
  own(0, 4, 0);
  own(1, 3, 1);
}
/* Thread 0's top and spare are full, and a bundle is in the recycler. */
static void full(void) {
  fresh();
  own(0, 12, 0);
  free_own(0, 9);
  own(1, 1, 1);
}
/* The same, and thread 0's top is full: what it frees next goes to the pool. */
static void brimming(void) {
  fresh();
  own(0, 16, 0);
  free_own(0, 12);
  own(1, 1, 1);
}
/* Slots of a page, none in the pool and no more memory: those that there are lie in thread 0's bundles. */
static void all_in_bundles(void) {
  fresh();
  slot_size = 4096;
  own(0, 8, 0);
  free_own(0, 8);
}
static void at_the_limit(void) {
  all_in_bundles();
  copse_tunables.limit = copse_vm_counters.in_use;
}
static void no_more_memory(void) {
  all_in_bundles();
  refuse_from = 1;
}
/* Slots of a page; thread 1's top and spare are full.  What thread 0 takes makes its pool grow, and a peak. */
static void below_a_peak(void) {
  fresh();
  slot_size = 4096;
  own(1, 12, 1);
  free_own(1, 8);
  copse_tunables.peak_trim = 5;
  copse_vm_counters.mark = copse_vm_counters.in_use;
}
/* The same, and those bundles are empty. */
static void below_two_peaks(void) {
  below_a_peak();
  own(1, 8, 1);
}

/* ---- threads ---- */

static void trim_without_record(void) {
  copse_self_ = &copse_cache_start.hot;
  copse_trim();
}
static void take_five(void) {
  become();
  for (int i = 0; i < 5; i++) take();
}
static void give_checkpoint(void) {
  become();
  give();
  copse_checkpoint();
}
static void ask(void) { check(copse_trim_pending() <= MODEL_THREADS); }

/* ---- final checks ---- */

static void whole(void) { conserved(SMALL); }
static void nobody_behind(void) {
  conserved(SMALL);
  /* Thread a flushed after the trim, or has not followed it yet. */
  check(copse_trim_pending() <= 1);
}
/* Who has not followed, and has anything, is counted; also where it is in the spare alone, which came there behind the trim's look. */
static void spares_behind(void) {
  conserved(SMALL);
  bool followed = records[0]->seen == copse_generation;
  bool has = records[0]->spare[SMALL] & SPARE_COUNT;
  check(followed || !has || copse_trim_pending() == 1);
}
static void pages_whole(void) { conserved(class_of_size(4096)); }
static void all_served(void) {
  pages_whole();
  check(holds[1] == 1);
}

/* A new peak is one thread's: it moves the mark, and who comes after is below it. */
static void one_trim(void) {
  pages_whole();
  check(copse_generation == 1 && copse_vm_counters.mark > copse_vm_counters.in_use);
}
/* Or none, where the pool had a slot by then. */
static void one_trim_at_most(void) {
  pages_whole();
  check(copse_generation <= 1 && copse_vm_counters.mark >= copse_vm_counters.in_use);
}

#define S(name_, setup_, final_, ...)                                                                                  \
  {                                                                                                                    \
    .name = "trim/" name_, .once = library_up, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }             \
  }
const struct scenario trim_scenarios[] = {
    S("against-take", cached, whole, take_one, trim),
    S("against-give-take", brimming, whole, give_take, trim),
    S("spare-is-pending", brimming, spares_behind, give_take, trim),
    S("against-two-users", cached, whole, give_take, trim, take_one),
    S("against-refill", full, whole, take_five, trim),
    S("against-spill", brimming, whole, give_two, trim),
    S("against-exit", full, whole, give_leave, trim),
    S("exit-user-trim", full, whole, leave, trim, take_one),
    S("trim-trim", full, whole, idle, trim, trim),
    S("trim-trim-user", cached, whole, take_one, trim, trim),
    S("without-record", cached, whole, take_one, trim_without_record),
    S("blocked-thread-spare", full, whole, idle, trim),
    S("checkpoint", cached, nobody_behind, checkpoint, trim),
    S("checkpoint-after-give", full, nobody_behind, give_checkpoint, trim),
    S("behind-means-flushed", cached, whole, checkpoint, checkpoint, trim_and_ask),
    S("pending-against-trim", cached, whole, checkpoint, trim, ask),
    S("stats-against-users", cached, whole, give_take, look),
    S("stats-against-trim", full, whole, trim, look),
    S("last-resort-at-limit", at_the_limit, all_served, idle, take_one),
    S("last-resort-no-memory", no_more_memory, all_served, idle, take_one),
    S("last-resort-against-user", no_more_memory, pages_whole, take_five, take_one),
    S("reclaim-against-user", brimming, whole, give_two, reclaim),
    S("reclaim-against-trim", full, whole, idle, reclaim, trim),
    S("peak-against-give", below_a_peak, one_trim_at_most, take_one, give_two),
    S("peak-against-peak", below_two_peaks, one_trim, take_one, take_one),
    S("peak-against-trim", below_a_peak, pages_whole, take_one, trim),
    S("peak-against-exit", below_a_peak, one_trim_at_most, take_one, give_leave),
    {.name = NULL},
};
