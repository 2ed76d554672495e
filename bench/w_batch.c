/* SPDX-License-Identifier: MIT */
/*
 * Batch: allocate n objects, then free them all: in the order of allocation (fifo), reversed (lifo) or at random.
 * Allocation and free are timed apart; the order is made between them, unmeasured.
 *
 *   size=64         one size (64 is a constant to the compiler); 0 draws sizes from 16 to 1024
 *   calls=1         by batch calls, groups of 64; an allocator that has none gets a loop
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#define GROUP 64

static struct item *items;
static void **pointers;
static size_t n;
static uint64_t alloc_ns, free_ns, objects;

static inlined void one_batch(size_t size, struct random *order) {
  uint64_t start = now_ns();
  for (size_t i = 0; i < n; i++) {
    size_t s = size ? size : items[i].size;
    void *p = bench_alloc(s);
    stamp(p, i);
    items[i].ptr = p;
  }
  uint64_t middle = now_ns();
  alloc_ns += middle - start;

  if (option_is("order", "lifo", "lifo"))
    for (size_t i = 0, j = n - 1; i < j; i++, j--) {
      struct item t = items[i];
      items[i] = items[j];
      items[j] = t;
    }
  else if (option_is("order", "lifo", "random"))
    shuffle_items(items, n, order);

  start = now_ns();
  for (size_t i = 0; i < n; i++) bench_free(items[i].ptr, size ? size : items[i].size);
  free_ns += now_ns() - start;
  objects += n;
}

/* The same by batch calls; one size. */
static inlined void one_batch_by_calls(size_t size, struct random *order) {
  uint64_t start = now_ns();
  for (size_t i = 0; i < n; i += GROUP) {
    if (bench_alloc_batch(size, GROUP, pointers + i) != GROUP) check(false, "a whole batch");
    for (size_t j = i; j < i + GROUP; j++) stamp(pointers[j], j);
  }
  uint64_t middle = now_ns();
  alloc_ns += middle - start;

  bool lifo = option_is("order", "lifo", "lifo"), random = option_is("order", "lifo", "random");
  for (size_t i = n - 1; i > 0; i--) {
    size_t j = random ? random_below(order, i + 1) : lifo && i >= n / 2 ? n - 1 - i : i;
    void *t = pointers[i];
    pointers[i] = pointers[j];
    pointers[j] = t;
  }

  start = now_ns();
  for (size_t i = 0; i < n; i += GROUP) bench_free_batch(size, GROUP, pointers + i);
  free_ns += now_ns() - start;
  objects += n;
}

void w_batch(void) {
  size_t size = option("size", 64);
  bool calls = option("calls", 0);
  uint64_t ms = option("ms", 300);
  n = (option("n", 1024) + GROUP - 1) / GROUP * GROUP;
  check(option_is("order", "lifo", "lifo") || option_is("order", "lifo", "fifo") ||
            option_is("order", "lifo", "random"),
        "order= is lifo, fifo or random");
  check(size || !calls, "batch calls are of one size");
  struct random order = random_seeded(1), sizes = random_seeded(2);
  items = harness_memory(n * sizeof *items);
  pointers = harness_memory(n * sizeof *pointers);
  for (size_t i = 0; i < n; i++) items[i].size = size ? size : random_between(&sizes, 16, 1024);

  for (unsigned phase = 0; phase < PHASES; phase++) {
    struct timed t = timed_start(phase_ms(phase, ms));
    alloc_ns = free_ns = objects = 0;
    do {
      if (calls)
        one_batch_by_calls(size, &order);
      else if (size == 64)
        one_batch(64, &order);
      else
        one_batch(size, &order);
    } while (timed_more(&t, n));
  }
  /* Nothing was thrown away: allocated once more, all are there at once and apart. */
  for (size_t i = 0; i < n; i++) stamp(items[i].ptr = bench_alloc(items[i].size), i);
  for (size_t i = 0; i < n; i++) check(stamp_of(items[i].ptr) == i, "what a batch wrote");
  for (size_t i = 0; i < n; i++) bench_free(items[i].ptr, items[i].size);

  result("alloc", "ns", (double)alloc_ns / (double)objects);
  result("free", "ns", (double)free_ns / (double)objects);
  result("both", "ns", (double)(alloc_ns + free_ns) / (double)objects);
}
