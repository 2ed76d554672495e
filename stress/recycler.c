/* SPDX-License-Identifier: MIT */
/* Many threads at the recyclers of a few classes, with room for no bundle, one, sixteen and a thousand; bundles are shallow. */
#include "shelf.h"
#include "tunables.h"

enum { THREADS = 12, STEPS = 6000 };
static const uint64_t caps[] = {0, 1, 1, 16, 1000};
static const size_t sizes[] = {16, 64, 100, 640, 1024};
static struct shelf shelf = SHELF_INITIALIZER;
static unsigned sizes_used;

static void work(struct hand *hand) {
  struct object o;
  /* Some only take, some only give, for a while: then bundles go through the recycler. */
  unsigned begin = (unsigned)random_below(&hand->random, SHELF);
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    unsigned at = (begin + i * 7) % SHELF;
    if ((i / 256 + hand->number) % 2) {
      object_make(hand, sizes[random_below(&hand->random, sizes_used)], &o);
    } else {
      o = (struct object){0};
    }
    o = shelf_swap(&shelf, at, o);
    object_free(hand, &o);
    stress_breathe(hand);
  }
}

static void one_round(struct hand *hand) {
  struct copse_stats before, after;
  uint64_t cap = caps[random_below(&hand->random, sizeof caps / sizeof *caps)];
  require(copse_tune_set("recycler", cap) == 0);
  require(copse_tune_set("depth_1k", 4 + random_below(&hand->random, 5)) == 0);
  /* All come down on one, or on many. */
  sizes_used = random_below(&hand->random, 2) ? 1 : sizeof sizes / sizeof *sizes;
  require(copse_tune_set("arenas", random_below(&hand->random, 3) ? 1 : ARENAS_DEFAULT) == 0);
  copse_stats(&before);
  crew(THREADS, work, NULL);
  copse_stats(&after);
  /* Those with no room take none. */
  require(cap || (after.pushes == before.pushes && after.pops == before.pops));
  shelf_clear(&shelf, hand);
  stress_balance(0);
  stress_add("bundles given to recyclers", after.pushes - before.pushes);
  stress_add("bundles taken from them", after.pops - before.pops);
  stress_add("bundles given to pools", after.flushes - before.flushes);
}

const struct scenario stress_scenario = {
  "twelve threads at recyclers that hold 0, 1, 16 and 1000 bundles",
  STRESS_FRESH,
  one_round,
};
