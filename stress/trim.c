/* SPDX-License-Identifier: MIT */
/* Two threads that trim without a pause, with and without a cooldown, against six that work and follow when they like. */
#include "shelf.h"

enum { TRIMMERS = 2, WORKERS = 6, STEPS = 5000 };
static struct shelf shelf = SHELF_INITIALIZER;
static unsigned left;
static uint64_t trims, bytes;
static bool few; /* classes: then the same spares are wanted by all */

static void work(struct hand *hand) {
  if (hand->number <= TRIMMERS) {
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
      __atomic_fetch_add(&bytes, copse_trim(), __ATOMIC_RELAXED);
      __atomic_fetch_add(&trims, 1, __ATOMIC_RELAXED);
      if (random_below(&hand->random, 4) == 0) require(copse_tune_set("cooldown", random_below(&hand->random, 3)) == 0);
      (void)copse_trim_pending();
      stress_breathe(hand);
    }
    return;
  }
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    struct object o = {0};
    if (random_below(&hand->random, 9) < 5) object_make(hand, few ? 48 + 16 * (i & 1) : random_size(&hand->random, 200000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
    if (i % 300 == 0) {
      /* A span, which a trim takes from the span cache. */
      object_make(hand, ((size_t)1 << 20) + random_below(&hand->random, 3u << 20), &o);
      object_free(hand, &o);
    }
    if (random_below(&hand->random, 100) == 0) copse_checkpoint();
  }
  __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static void one_round(struct hand *hand) {
  /* Shallow bundles change places often. */
  require(copse_tune_set("depth_1k", random_below(&hand->random, 2) ? 4 : 120) == 0);
  require(copse_tune_set("recycler", random_below(&hand->random, 2) ? 1 : 16) == 0);
  /* Growth makes trims of its own. */
  require(copse_tune_set("peak_trim", random_below(&hand->random, 2)) == 0);
  few = random_below(&hand->random, 2);
  left = WORKERS;
  crew(TRIMMERS + WORKERS, work, NULL);
  stress_balance(0);
  shelf_clear(&shelf, hand);
  require(copse_tune_set("cooldown", 0) == 0);
  copse_trim();
  require(copse_trim_pending() == 0);
  stress_add("trims", __atomic_exchange_n(&trims, 0, __ATOMIC_RELAXED));
  stress_add("megabytes that they gave back", __atomic_exchange_n(&bytes, 0, __ATOMIC_RELAXED) >> 20);
}

const struct scenario stress_scenario = {
  "two threads trim without a pause while six work",
  0,
  one_round,
};
