/* SPDX-License-Identifier: MIT */
/*
 * Simple: the loop that the C library's own benchmark made known: rows of 25, 100, 400 and 1600 objects of one size are
 * allocated, then freed in the same order; sizes from 16 to 4096.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#define ROW_MAX 1600

static uint64_t row(void **row_ptrs, size_t size, size_t n) {
  for (size_t i = 0; i < n; i++) stamp(row_ptrs[i] = bench_alloc(size), i);
  for (size_t i = 0; i < n; i++) bench_free(row_ptrs[i], size);
  return n;
}

void w_simple(void) {
  static const size_t rows[] = {25, 100, 400, ROW_MAX};
  uint64_t ms = option("ms", 300);
  void **ptrs = harness_memory(ROW_MAX * sizeof *ptrs);
  struct timed t = {0};
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    uint64_t ops;
    do {
      ops = 0;
      for (size_t size = 16; size <= 4096; size *= 2)
        for (unsigned i = 0; i < 4; i++)
          for (unsigned times = 0; times < ROW_MAX / rows[i]; times += 4) ops += row(ptrs, size, rows[i]);
    } while (timed_more(&t, ops));
  }
  for (size_t i = 0; i < ROW_MAX; i++) stamp(ptrs[i] = bench_alloc(16), i);
  for (size_t i = 0; i < ROW_MAX; i++) check(stamp_of(ptrs[i]) == i, "what a row wrote");
  for (size_t i = 0; i < ROW_MAX; i++) bench_free(ptrs[i], 16);
  result("object", "ns", timed_ns_per_op(&t));
}
