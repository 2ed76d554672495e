/* SPDX-License-Identifier: MIT */
/*
 * Latency: churn as in w_churn.c, each malloc and each free timed by itself.  The percentiles are over all threads.
 * The clock's own cost is in every figure; it is measured and noted, not subtracted.
 */
#include "alloc.h"
#include "bench.h"
#include "clock.h"
#include "workloads.h"

/* Exact below 2^EXACT ticks, then 2^FINE steps to each doubling: within 1.6 % of the truth. */
#define EXACT   12
#define FINE    6
#define BUCKETS ((1u << EXACT) + ((64 - EXACT) << FINE))

struct histogram {
  uint64_t count[BUCKETS], total, greatest;
};

static struct histogram *mallocs, *frees, *clocks; /* one a thread */
static size_t slots, least, most;
static uint64_t ms;
static unsigned threads;

static unsigned bucket_of(uint64_t t) {
  if (t < 1u << EXACT) return (unsigned)t;
  unsigned power = 63u - (unsigned)__builtin_clzll(t);
  return (1u << EXACT) + ((power - EXACT) << FINE) + (unsigned)((t >> (power - FINE)) & ((1u << FINE) - 1));
}

/* The middle of a bucket. */
static double ticks_of(unsigned bucket) {
  if (bucket < 1u << EXACT) return bucket;
  unsigned power = ((bucket - (1u << EXACT)) >> FINE) + EXACT, part = (bucket - (1u << EXACT)) & ((1u << FINE) - 1);
  return ((double)(1u << FINE) + part + 0.5) * (double)((uint64_t)1 << (power - FINE));
}

static inlined void add(struct histogram *h, uint64_t t) {
  h->count[bucket_of(t)]++;
  h->total++;
  if (t > h->greatest) h->greatest = t;
}

static double percentile(const struct histogram *h, double fraction) {
  uint64_t rank = (uint64_t)(fraction * (double)h->total), below = 0;
  for (unsigned i = 0; i < BUCKETS; i++)
    if ((below += h->count[i]) > rank) return ticks_of(i);
  return (double)h->greatest;
}

static inlined void replace(struct item *items, struct random *r, unsigned index) {
  size_t i = random_below(r, slots), size = random_between(r, least, most);
  void *old = items[i].ptr;
  size_t old_size = items[i].size;
  uint64_t t0 = ticks();
  bench_free(old, old_size);
  uint64_t t1 = ticks();
  add(&frees[index], t1 - t0);
  t0 = ticks();
  void *p = bench_alloc(size);
  t1 = ticks();
  add(&mallocs[index], t1 - t0);
  stamp(p, i);
  items[i] = (struct item){p, size};
}

static void body(unsigned index) {
  struct random r = random_seeded(600 + index);
  struct item *items = harness_memory(slots * sizeof *items);
  for (size_t i = 0; i < slots; i++) {
    items[i].size = random_between(&r, least, most);
    stamp(items[i].ptr = bench_alloc(items[i].size), i);
  }
  struct timed t = {0};
  team_start();
  for (unsigned phase = 0; phase < PHASES; phase++) {
    mallocs[index] = frees[index] = (struct histogram){0};
    t = timed_start(phase_ms(phase, ms));
    do
      for (unsigned i = 0; i < 256; i++) replace(items, &r, index);
    while (timed_more(&t, 256));
  }
  team_finish(index, &t);
  for (unsigned i = 0; i < 100000; i++) {
    uint64_t t0 = ticks();
    add(&clocks[index], ticks() - t0);
  }
  for (size_t i = 0; i < slots; i++) check(stamp_of(items[i].ptr) == i, "what churn wrote");
  for (size_t i = 0; i < slots; i++) bench_free(items[i].ptr, items[i].size);
}

static void merge(struct histogram *all) {
  for (unsigned t = 1; t < threads; t++) {
    for (unsigned i = 0; i < BUCKETS; i++) all[0].count[i] += all[t].count[i];
    all[0].total += all[t].total;
    if (all[t].greatest > all[0].greatest) all[0].greatest = all[t].greatest;
  }
}

void w_latency(void) {
  static const struct {
    double fraction;
    const char *malloc_name, *free_name;
  } points[] = {{0.5, "malloc-p50", "free-p50"},
                {0.99, "malloc-p99", "free-p99"},
                {0.999, "malloc-p99.9", "free-p99.9"},
                {0.9999, "malloc-p99.99", "free-p99.99"}};
  slots = option("slots", 50000);
  least = option("least", 16);
  most = option("most", 1000);
  ms = option("ms", 300);
  threads = (unsigned)option("threads", 2);
  check(threads >= 1 && threads <= MAX_THREADS, "threads= is from 1 to 256");
  mallocs = harness_memory(threads * sizeof *mallocs);
  frees = harness_memory(threads * sizeof *frees);
  clocks = harness_memory(threads * sizeof *clocks);
  double scale = ns_per_tick();
  team_run(threads, body);
  merge(mallocs);
  merge(frees);
  merge(clocks);
  for (unsigned i = 0; i < 4; i++) {
    result(points[i].malloc_name, "ns", percentile(mallocs, points[i].fraction) * scale);
    result(points[i].free_name, "ns", percentile(frees, points[i].fraction) * scale);
  }
  note("clock", percentile(clocks, 0.5) * scale);
  note("operations", (double)mallocs->total);
  note("malloc-max", (double)mallocs->greatest * scale);
  note("free-max", (double)frees->greatest * scale);
}
