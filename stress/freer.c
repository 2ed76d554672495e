/* SPDX-License-Identifier: MIT */
/* One thread frees all that five allocate, and never allocates itself; they never free. */
#include "shelf.h"

enum { ALLOCATORS = 5, BATCHES = 120 };
static struct queue queue = QUEUE_INITIALIZER;
static unsigned left;

static void work(struct hand *hand) {
  struct batch b;
  if (hand->number <= ALLOCATORS) {
    for (unsigned i = 0; i < LESS(BATCHES); i++) {
      batch_make(hand, &b, BATCH, random_below(&hand->random, 30) ? 300 : 70000);
      queue_put(&queue, &b);
    }
    if (__atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL) == 0) queue_close(&queue);
  } else {
    while (queue_get(&queue, &b)) {
      /* In the order of another thread's allocation, or backwards, as destructors do. */
      if (random_below(&hand->random, 2))
        while (b.n) object_free(hand, &b.object[--b.n]);
      batch_free(hand, &b);
    }
  }
}

static void one_round(struct hand *hand) {
  struct copse_stats before, after;
  /* By the recycler, or each bundle home. */
  require(copse_tune_set("recycler", random_below(&hand->random, 2) ? 0 : 16) == 0);
  queue_open(&queue);
  left = ALLOCATORS;
  copse_stats(&before);
  crew(ALLOCATORS + 1, work, NULL);
  copse_stats(&after);
  stress_add("bundles through recyclers", after.pops - before.pops);
  stress_most("megabytes made accessible", after.committed >> 20);
}

const struct scenario stress_scenario = {
  "five threads allocate and one frees",
  0,
  one_round,
};
