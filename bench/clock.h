/* SPDX-License-Identifier: MIT */
/*
 * The processor's own clock, for operations too short for a call to the system's.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include "bench.h"

/* Ordered after what stands before it in the program, so that an operation's end is not read early. */
static inline uint64_t ticks(void) {
#if defined(__x86_64__)
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
  uint64_t t;
  __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(t) : : "memory");
  return t;
#else
  return now_ns();
#endif
}

/* Nanoseconds in a tick, measured over 10 ms. */
static inline double ns_per_tick(void) {
  uint64_t t0 = ticks(), n0 = now_ns(), n1;
  do n1 = now_ns();
  while (n1 - n0 < 10000000);
  return (double)(n1 - n0) / (double)(ticks() - t0);
}

#endif
