/* SPDX-License-Identifier: MIT */
/* Threads that come and go by the thousand: each takes up a record, leaves objects to others, and frees what it finds. */
#include "shelf.h"

enum { AT_ONCE = 16, WAVES = 20 };
static struct shelf shelf = SHELF_INITIALIZER;

static void work(struct hand *hand) {
  /* Some never allocate, some never free: both take a cache up in other ways. */
  unsigned kind = (unsigned)random_below(&hand->random, 4), n = 1 + (unsigned)random_below(&hand->random, 60);
  for (unsigned i = 0; i < n; i++) {
    struct object o = {0};
    if (kind != 1) object_make(hand, random_size(&hand->random, 20000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
  }
  if (kind == 3) copse_thread_flush();
}

static void one_round(struct hand *hand) {
  struct copse_stats stats;
  unsigned waves = LESS(WAVES);
  for (unsigned i = 0; i < waves; i++) {
    crew(AT_ONCE, work, NULL);
    if (random_below(&hand->random, 8) == 0) copse_trim();
  }
  copse_stats(&stats);
  require(stats.threads <= 1); /* the others have left theirs */
  stress_add("threads", (uint64_t)waves * AT_ONCE);
  if (random_below(&hand->random, 4) == 0) shelf_clear(&shelf, hand);
}

const struct scenario stress_scenario = {
  "threads by the thousand, sixteen at once, each a few objects long",
  0,
  one_round,
};
