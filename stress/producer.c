/* SPDX-License-Identifier: MIT */
/* Producers and consumers: what the ones allocate the others free, by queues between pairs and by one that all share. */
#include "shelf.h"

enum { PAIRS = 3, BATCHES = 150 };
static struct queue queue[PAIRS] = {QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER};
static bool all_in_one;
static unsigned left; /* producers of the shared queue that are not done */

static struct queue *queue_of(unsigned pair) { return &queue[all_in_one ? 0 : pair]; }

static void work(struct hand *hand) {
  unsigned pair = (hand->number - 1) / 2;
  struct batch b;
  if (hand->number % 2) {
    for (unsigned i = 0; i < LESS(BATCHES); i++) {
      batch_make(hand, &b, 1 + (unsigned)random_below(&hand->random, BATCH), 4000);
      queue_put(queue_of(pair), &b);
    }
    if (!all_in_one || __atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL) == 0) queue_close(queue_of(pair));
  } else {
    while (queue_get(queue_of(pair), &b)) {
      batch_free(hand, &b);
      if (random_below(&hand->random, 20) == 0) copse_checkpoint();
    }
  }
}

static void one_round(struct hand *hand) {
  for (unsigned i = 0; i < PAIRS; i++) queue_open(&queue[i]);
  all_in_one = random_below(&hand->random, 2);
  left = PAIRS;
  crew(2 * PAIRS, work, NULL);
}

const struct scenario stress_scenario = {
  "three producers and three consumers, in pairs or all by one queue",
  0,
  one_round,
};
