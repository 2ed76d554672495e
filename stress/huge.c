/* SPDX-License-Identifier: MIT */
/*
 * Huge pages off, transparent, explicit, and exhausted half-way, while four threads work and one trims.  Explicit ones are pretended
 * (tests/vm_faults.h), for few systems have any set aside; where this one has, they are used as well.
 */
#include "shelf.h"
#include "setting.h"
#include "vm_faults.h"

enum { WORKERS = 4, STEPS = 600, BULK = 400 };
static struct shelf shelf = SHELF_INITIALIZER;
static unsigned left;

static void work(struct hand *hand) {
  static _Thread_local struct object bulk[BULK];
  if (hand->number > WORKERS) {
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
      copse_trim();
      stress_breathe(hand);
    }
    return;
  }
  /* Much of a few classes: pools that grow by more than a huge page. */
  size_t size = (size_t)1024 << random_below(&hand->random, 6);
  unsigned n = BULK / 2 + (unsigned)random_below(&hand->random, BULK / 2);
  for (unsigned i = 0; i < n; i++) object_make(hand, size, &bulk[i]);
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    struct object o = {0};
    if (random_below(&hand->random, 2)) object_make(hand, random_size(&hand->random, i % 100 ? 200000 : 6000000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
  }
  for (unsigned i = 0; i < n; i++) object_free(hand, &bulk[i]);
  __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static void one_round(struct hand *hand) {
  /* 0 off, 1 transparent, 2 none set aside, 3 a few, 4 enough, 5 the system's own. */
  unsigned mode = (unsigned)random_below(&hand->random, 6);
  require(copse_tune_set("huge", mode < 2 ? mode : 2) == 0);
  require(copse_tune_set("growth_min", 4 << 20) == 0 && copse_tune_set("growth_max", 4 << 20) == 0);
  if (mode == 5 && setting_read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") <= 0) {
    stress_skip("the system's own explicit huge pages", "none is set aside and free");
    mode = 2;
  }
  if (mode != 5) {
    vm_faults_install();
    vm_faults.huge_1g = 0;
    vm_faults.huge_2m = mode == 3 ? 1 + (long)random_below(&hand->random, 30) : mode == 4 ? 1000 : 0;
    vm_faults.holes = false;
  }
  left = WORKERS;
  crew(WORKERS + 1, work, NULL);
  shelf_clear(&shelf, hand);
  copse_trim();
  struct copse_stats stats;
  copse_stats(&stats);
  require(mode != 0 || (stats.huge_2m == 0 && stats.huge_advised == 0));
  require(mode != 2 || stats.huge_2m == 0);
  if (mode == 3 || mode == 4) require(stats.huge_2m > 0);
  stress_add("megabytes of explicit huge pages", stats.huge_2m >> 20);
  stress_add("megabytes for which transparent ones were asked", stats.huge_advised >> 20);
  stress_add("times that explicit ones were exhausted", stats.huge_2m_fallbacks);
}

const struct scenario stress_scenario = {
  "huge pages off, transparent, explicit and exhausted, while four threads work and one trims",
  STRESS_FRESH,
  one_round,
};
