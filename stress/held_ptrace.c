/* SPDX-License-Identifier: MIT */
/*
 * A thread is stopped from outside (ptrace), at full speed and anywhere: the others must go on, unless it holds a lock, which is looked
 * at; then it runs on, and is counted.  stress/step.c does the same at each instruction.
 */
#include "tracer.h"

enum { ARENAS = 2, TURNS = 30 };

static void setup(void) {
  require(copse_tune_set("arenas", ARENAS) == 0 && copse_tune_set("recycler", 1) == 0);
  require(copse_tune_set("growth_min", 4096) == 0 && copse_tune_set("growth_max", 4096) == 0 && copse_tune_set("span_cache", 0) == 0);
}

static void paths(struct hand *hand) {
  for (unsigned i = 0; i < TURNS; i++) held_paths(hand, i);
}

static void one_round(struct hand *hand) {
  struct tracer t;
  uint64_t stops = 0, held_back = 0, spans = 0;
  if (COMPILED_WITH_TSAN) stress_skip_all("ThreadSanitizer has locks of its own, which are not looked at");
  tracer_start(&t, ARENAS, setup, paths);
  do {
    struct locks_taken taken = tracer_locks(&t);
    if ((taken.pools || taken.start) && !stress_planted("lock")) {
      held_back++;
      continue;
    }
    spans += taken.spans;
    stops++;
    require(held_episode(t.shared, taken.spans ? EPISODE_SPANS : 0, stress_limit() / 4 + 1));
  } while (tracer_run(&t, (unsigned)random_below(&hand->random, 200)));
  uint64_t episodes = t.shared->done;
  tracer_end(&t);
  stress_add("stops", stops);
  stress_add("of them under the spans' lock, where the others went on with slots", spans);
  stress_add("stops under a pool's lock, from where it ran on", held_back);
  stress_add("episodes of the others", episodes);
}

const struct scenario stress_scenario = {
  "a thread is stopped from outside in the middle of the slow path, and two others go on",
  STRESS_QUIET | STRESS_FRESH,
  one_round,
};
