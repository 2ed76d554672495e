/* SPDX-License-Identifier: MIT */
/*
 * Realloc: one object grows to `most`, by a factor of 1.5 (step=0) or by `step` bytes.  Only the calls are timed; what
 * is new is touched between them, so that whoever copies copies real pages.  By steps a copying allocator's time grows
 * with the square of the size: budget= ends it after so many milliseconds of calls, which flatters it, and the note
 * `reached` says how far it came.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

void w_realloc(void) {
  size_t most = option("most", (size_t)256 << 20), step = option("step", 0);
  uint64_t budget = option("budget", 2000) * 1000000u, spent = 0, calls = 0;
  size_t size = step ? step : 64;
  char *p = bench_alloc(size);
  stamp(p, 42);
  touch_pages(p, 4096, size);
  while (size < most && spent < budget) {
    size_t bigger = step ? size + step : size + size / 2;
    if (bigger > most) bigger = most;
    uint64_t start = now_ns();
    p = bench_realloc(p, size, bigger);
    spent += now_ns() - start;
    calls++;
    touch_pages(p, (size + 4095) & ~(size_t)4095, bigger & ~(size_t)7);
    size = bigger;
  }
  check(stamp_of(p) == 42, "the first word");
  for (size_t at = 1 << 20; at + 4096 < size; at += 1 << 20) check(stamp_of(p + at) == at, "the pages between");
  bench_free(p, size);
  result("call", "us", (double)spent * 1e-3 / (double)calls);
  note("reached", (double)size);
}
