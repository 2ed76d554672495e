/* SPDX-License-Identifier: MIT */
/* Growth against trim: pools grow in steps of a page by bursts from four threads, and all of it is given back in between, access too. */
#include "shelf.h"
#include "trim.h"

enum { GROWERS = 4, BURSTS = 12, BURST = 900 };
static unsigned left;

static void work(struct hand *hand) {
  static const size_t sizes[] = {48, 320, 1024, 5000, 24000};
  static _Thread_local struct object burst[BURST];
  if (hand->number > GROWERS) {
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
      stress_add("megabytes given back", copse_trim() >> 20);
      /* As where memory is said to be out: the bare end of each pool loses its access. */
      if (random_below(&hand->random, 2)) copse_trim_shrink();
      stress_breathe(hand);
    }
    return;
  }
  for (unsigned i = 0; i < LESS(BURSTS); i++) {
    size_t size = sizes[random_below(&hand->random, sizeof sizes / sizeof *sizes)];
    unsigned n = 1 + (unsigned)random_below(&hand->random, size > 4096 ? BURST / 8 : BURST);
    for (unsigned k = 0; k < n; k++) object_make(hand, size, &burst[k]);
    for (unsigned k = n; k--;) object_free(hand, &burst[k]);
    copse_thread_flush();
  }
  __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static void one_round(struct hand *hand) {
  require(copse_tune_set("growth_min", 4096) == 0);
  require(copse_tune_set("growth_max", (uint64_t)4096 << random_below(&hand->random, 6)) == 0);
  left = GROWERS;
  crew(GROWERS + 1, work, NULL);
}

const struct scenario stress_scenario = {
  "four threads make pools grow by pages while a fifth gives all back, access too",
  0,
  one_round,
};
