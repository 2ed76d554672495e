/* SPDX-License-Identifier: MIT */
/*
 * Empty: the loop of w_pair.c around two calls that do next to nothing, into a shared library as malloc and free are.  No
 * allocator that is called can be faster.  It is the same for all of them, but for the spread.
 */
#include "bench.h"
#include "workloads.h"

#define CHUNK 4096

/* labs(3) by a name that the compiler does not know better than to call. */
long through_the_table(long n) __asm__("labs");

void w_empty(void) {
  uint64_t ms = option("ms", 300);
  static uint64_t place[2];
  struct timed t = {0};
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    do
      for (uint64_t i = 0; i < CHUNK; i++) {
        long p = through_the_table((long)(uintptr_t)place);
        stamp((void *)(uintptr_t)p, i);
        through_the_table(p);
      }
    while (timed_more(&t, CHUNK));
  }
  check(place[0] == CHUNK - 1, "the last stamp");
  result("pair", "ns", timed_ns_per_op(&t));
}
