/* SPDX-License-Identifier: MIT */
/*
 * Resident memory above what it was before the first allocation: when `bytes` of mixed small objects are live, after
 * `percent` of them, chosen at random, are freed, and after a trim.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <string.h>

static double above(uint64_t base) {
  uint64_t now = resident_bytes();
  return now > base ? (double)(now - base) / (1 << 20) : 0;
}

void w_resident(void) {
  size_t bytes = option("bytes", 1 << 30), least = option("least", 16), most = option("most", 1000);
  uint64_t percent = option("percent", 100);
  size_t n = bytes / ((least + most) / 2), left = 0;
  struct random r = random_seeded(7);
  struct item *items = harness_memory(n * sizeof *items);
  uint64_t base = resident_bytes();

  for (size_t i = 0; i < n; i++) {
    size_t size = random_between(&r, least, most);
    items[i] = (struct item){memset(bench_alloc(size), (int)(i & 255), size), size};
  }
  note("full", above(base));
  shuffle_items(items, n, &r);
  size_t freed = n * percent / 100;
  for (size_t i = 0; i < freed; i++) bench_free(items[i].ptr, items[i].size);
  for (size_t i = freed; i < n; i++) left += items[i].size;
  double after_free = above(base);
  uint64_t start = now_ns();
  bench_trim();
  uint64_t end = now_ns();
  double after_trim = above(base);
  for (size_t i = freed; i < n; i++) {
    unsigned char *p = items[i].ptr;
    check(p[0] == p[items[i].size - 1], "what stayed live");
  }
  result("freed", "MB", after_free);
  result("trimmed", "MB", after_trim);
  note("live", (double)left / (1 << 20));
  note("trim_ms", (double)(end - start) * 1e-6);
}
