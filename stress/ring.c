/* SPDX-License-Identifier: MIT */
/* A ring of threads: each hands on what it was given, and some of it is freed and made anew on the way; so bundles of all arenas mix. */
#include "shelf.h"

enum { THREADS = 9, TURNS = 60 };
static struct queue queue[THREADS] = {QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER,
                                      QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER, QUEUE_INITIALIZER};

static void work(struct hand *hand) {
  unsigned me = hand->number - 1;
  struct batch b;
  batch_make(hand, &b, BATCH, 9000);
  for (unsigned turn = 0; turn < LESS(TURNS); turn++) {
    queue_put(&queue[(me + 1) % THREADS], &b);
    require(queue_get(&queue[me], &b));
    b.alike = false;
    for (unsigned i = 0; i < b.n; i++) {
      object_look(&b.object[i]);
      if (random_below(&hand->random, 2)) continue;
      object_free(hand, &b.object[i]);
      object_make(hand, random_size(&hand->random, 9000), &b.object[i]);
    }
  }
  batch_free(hand, &b);
}

static void one_round(struct hand *hand) {
  (void)hand;
  crew(THREADS, work, NULL);
}

const struct scenario stress_scenario = {
  "a ring of nine threads, more than there are arenas",
  0,
  one_round,
};
