/* SPDX-License-Identifier: MIT */
/* Random numbers for tests: the same ones every time.  xorshift64*, of S. Vigna, "An experimental exploration of
 * Marsaglia's xorshift generators, scrambled", 2016. */
#ifndef COPSE_TESTS_RANDOM_H
#define COPSE_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= (*state & UINT64_MAX >> 25) << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1Du;
}

/* 0 to n - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t n) { return (random_next(state) >> 11) % n; }

/* Puts pointers in a random order. */
static inline void random_order(uint64_t *state, size_t n, void *items[]) {
  for (size_t i = n; i > 1; i--) {
    size_t other = (size_t)random_below(state, i);
    void *item = items[i - 1];
    items[i - 1] = items[other];
    items[other] = item;
  }
}

#endif
