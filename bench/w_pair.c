/* SPDX-License-Identifier: MIT */
/*
 * Pair: allocate an object, touch its first word, free it.  The sizes are constants to the compiler, as sizeof is in a
 * program; only what has an inlined path can use that.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#define CHUNK 4096

static inlined uint64_t pairs(size_t size) {
  uint64_t seen = 0;
  for (uint64_t i = 0; i < CHUNK; i++) {
    void *p = bench_alloc(size);
    stamp(p, i);
    seen += (uint64_t)(uintptr_t)p & 15; /* aligned: adds nothing */
    bench_free(p, size);
  }
  return seen;
}

static uint64_t chunk_of(size_t size) {
  switch (size) {
  case 16:
    return pairs(16);
  case 32:
    return pairs(32);
  case 64:
    return pairs(64);
  case 128:
    return pairs(128);
  case 256:
    return pairs(256);
  case 512:
    return pairs(512);
  case 1024:
    return pairs(1024);
  case 4096:
    return pairs(4096);
  case 8192:
    return pairs(8192);
  case 32768:
    return pairs(32768);
  case 262144:
    return pairs(262144);
  default:
    return pairs(size);
  }
}

void w_pair(void) {
  size_t size = option("size", 64);
  uint64_t ms = option("ms", 300), seen = 0;
  struct timed t = {0};
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    do seen += chunk_of(size);
    while (timed_more(&t, CHUNK));
  }
  check(seen == 0, "alignment to 16 bytes");
  result("pair", "ns", timed_ns_per_op(&t));
}
