/* SPDX-License-Identifier: MIT */
/* Out of memory by RLIMIT_AS: four threads allocate until nothing is left, free some, and so on; afterwards there is memory again. */
#include "shelf.h"
#include "state.h"
#include <stdio.h>
#include <sys/resource.h>

enum { THREADS = 4, MOST = 20000 };
static struct object held[THREADS][MOST];
static size_t largest;

static void work(struct hand *hand) {
  struct object *mine = held[hand->number - 1];
  unsigned n = 0, refusals = 0;
  while (refusals < 6) {
    if (n < MOST && object_make(hand, 1 + random_below(&hand->random, largest), &mine[n])) {
      n++;
      continue;
    }
    refusals++;
    /* From the end, or here and there. */
    unsigned some = n / 2;
    while (some-- && n) {
      unsigned at = random_below(&hand->random, 2) ? n - 1 : (unsigned)random_below(&hand->random, n);
      object_free(hand, &mine[at]);
      mine[at] = mine[--n];
    }
  }
  while (n) object_free(hand, &mine[--n]);
}

static size_t address_space(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  require(file && fscanf(file, "%lu", &pages) == 1);
  fclose(file);
  return pages << 12;
}

static void one_round(struct hand *hand) {
  if (UNDER_SANITIZER) stress_skip_all("a sanitizer's own address space is beyond any limit");
  static const size_t sizes[] = {30000, 200000, 1500000};
  largest = sizes[random_below(&hand->random, 3)];
  /* The least that copse starts in is 128 MB, and for its records the instrumented library wants more. */
#ifdef COPSE_INSTRUMENTED
  enum { LEAST = 400 };
#else
  enum { LEAST = 160 };
#endif
  size_t room = (size_t)(LEAST + random_below(&hand->random, 200)) << 20;
  struct rlimit limit = {address_space() + room, RLIM_INFINITY};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = address_space() + room;
  require(setrlimit(RLIMIT_AS, &limit) == 0);
  crew(THREADS, work, NULL);
  /* It was out. */
  uint64_t refused = 0;
  for (unsigned i = 1; i <= THREADS; i++) refused += stress_hands[i].refused;
  require(refused);
  /* It is not for ever. */
  struct object o;
  for (size_t size = 16; size <= 1 << 20; size *= 2) {
    require(object_make(hand, size, &o));
    object_free(hand, &o);
  }
  copse_trim();
}

const struct scenario stress_scenario = {
  "four threads run out of address space, RLIMIT_AS, again and again",
  STRESS_FRESH | STRESS_REFUSALS,
  one_round,
};
