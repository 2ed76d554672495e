/* SPDX-License-Identifier: MIT */
/*
 * Fresh memory: `bytes` of small objects of mixed sizes are allocated and filled, none is freed.  The figures are time
 * by object and the peak of resident memory by live byte.  The objects are left to the exit.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <string.h>

void w_fresh(void) {
  size_t bytes = option("bytes", 1 << 30), least = option("least", 16), most = option("most", 1000);
  size_t room = bytes / ((least + most) / 2) * 11 / 10 + 1000, n = 0, live = 0;
  struct random r = random_seeded(6);
  struct item *items = harness_memory(room * sizeof *items);
  uint64_t before = resident_bytes(), start = now_ns();
  for (; live < bytes && n < room; n++) {
    size_t size = random_between(&r, least, most);
    char *p = bench_alloc(size);
    memset(p, (int)(n & 255), size);
    items[n] = (struct item){p, size};
    live += size;
  }
  uint64_t end = now_ns(), peak = peak_bytes();
  for (size_t i = 0; i < n; i += 7)
    check(((unsigned char *)items[i].ptr)[items[i].size - 1] == (i & 255), "what was filled");
  result("object", "ns", (double)(end - start) / (double)n);
  result("peak", "B/B", (double)(peak - before) / (double)live);
  note("live", (double)live);
}
