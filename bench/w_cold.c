/* SPDX-License-Identifier: MIT */
/*
 * Cold: n objects are live, the caches hold none of them; they are freed in random order, then as many are allocated
 * again.  least = most gives one size; 64 is a constant to the compiler.  The last objects are left to the exit.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

static inlined void free_all(const struct item *items, size_t n, size_t size) {
  for (size_t i = 0; i < n; i++) bench_free(items[i].ptr, size ? size : items[i].size);
}

static inlined void alloc_all(struct item *items, size_t n, size_t size) {
  for (size_t i = 0; i < n; i++) items[i].ptr = bench_alloc(size ? size : items[i].size);
}

void w_cold(void) {
  size_t n = option("n", 1000000), least = option("least", 64), most = option("most", least);
  struct random r = random_seeded(3);
  struct item *items = harness_memory(n * sizeof *items);
  bool is_64 = least == 64 && most == 64;
  for (size_t i = 0; i < n; i++) {
    items[i].size = random_between(&r, least, most);
    stamp(items[i].ptr = bench_alloc(items[i].size), i);
  }
  shuffle_items(items, n, &r);
  evict_caches();

  uint64_t start = now_ns();
  if (is_64)
    free_all(items, n, 64);
  else
    free_all(items, n, 0);
  uint64_t middle = now_ns();
  if (is_64)
    alloc_all(items, n, 64);
  else
    alloc_all(items, n, 0);
  uint64_t end = now_ns();

  for (size_t i = 0; i < n; i++) stamp(items[i].ptr, i);
  for (size_t i = 0; i < n; i++) check(stamp_of(items[i].ptr) == i, "objects that are apart");
  result("free", "ns", (double)(middle - start) / (double)n);
  result("again", "ns", (double)(end - middle) / (double)n);
}
