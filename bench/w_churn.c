/* SPDX-License-Identifier: MIT */
/*
 * Churn: a working set of live objects; each operation frees a random one and allocates another of a random size in its
 * place.  Each thread has a set of its own.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#define CHUNK 1024

static size_t slots, least, most;
static uint64_t ms;

static inlined void replace(struct item *items, struct random *r) {
  size_t i = random_below(r, slots);
  bench_free(items[i].ptr, items[i].size);
  size_t size = random_between(r, least, most);
  void *p = bench_alloc(size);
  stamp(p, i);
  items[i] = (struct item){p, size};
}

static void body(unsigned index) {
  struct random r = random_seeded(100 + index);
  struct item *items = harness_memory(slots * sizeof *items);
  for (size_t i = 0; i < slots; i++) {
    items[i].size = random_between(&r, least, most);
    stamp(items[i].ptr = bench_alloc(items[i].size), i);
  }
  struct timed t = {0};
  team_start();
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    do
      for (unsigned i = 0; i < CHUNK; i++) replace(items, &r);
    while (timed_more(&t, CHUNK));
  }
  team_finish(index, &t);
  for (size_t i = 0; i < slots; i++) check(stamp_of(items[i].ptr) == i, "what churn wrote");
  for (size_t i = 0; i < slots; i++) bench_free(items[i].ptr, items[i].size);
}

void w_churn(void) {
  slots = option("slots", 50000);
  least = option("least", 16);
  most = option("most", 1000);
  ms = option("ms", 300);
  team_run((unsigned)option("threads", 1), body);
  result("replace", "ns", team_ns_per_op());
}
