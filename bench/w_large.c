/* SPDX-License-Identifier: MIT */
/*
 * Large: objects of many pages, one word of each page touched.  slots=1 allocates and frees one; more slots are a
 * working set whose random members are replaced.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

void w_large(void) {
  size_t least = option("least", 1 << 20), most = option("most", least), slots = option("slots", 1);
  uint64_t ms = option("ms", 300);
  struct random r = random_seeded(5);
  struct item *items = harness_memory(slots * sizeof *items);
  struct timed t = {0};
  for (size_t i = 0; i < slots; i++) {
    items[i].size = random_between(&r, least, most);
    touch_pages(items[i].ptr = bench_alloc(items[i].size), 0, items[i].size);
  }
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    do {
      size_t i = slots == 1 ? 0 : random_below(&r, slots);
      bench_free(items[i].ptr, items[i].size);
      items[i].size = random_between(&r, least, most);
      touch_pages(items[i].ptr = bench_alloc(items[i].size), 0, items[i].size);
    } while (timed_more(&t, 1));
  }
  for (size_t i = 0; i < slots; i++) {
    size_t last = (items[i].size - 1) / 4096 * 4096;
    check(stamp_of((char *)items[i].ptr + last) == last, "the last page");
    bench_free(items[i].ptr, items[i].size);
  }
  result("object", "ns", timed_ns_per_op(&t));
}
