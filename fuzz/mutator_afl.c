/* SPDX-License-Identifier: MIT */
/*
 * mutator.c for AFL++, which takes a mutator as a shared object of its own (AFL_CUSTOM_MUTATOR_LIBRARY): records are changed as
 * under libFuzzer, half of the time after the beginning of the input was put before the end of another.  AFL++ goes on with
 * its own mutations afterwards.
 * Source: AFL++, docs/custom_mutators.md.
 */
#include "op.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 512 }; /* as under libFuzzer: -max_len */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size, uint8_t *out,
                                 size_t room, unsigned seed);

struct mutator {
  uint32_t seed;
  uint8_t out[MOST];
};

__attribute__((visibility("default"))) void *afl_custom_init(void *afl, unsigned seed);
__attribute__((visibility("default"))) size_t afl_custom_fuzz(void *mutator, uint8_t *input, size_t size, uint8_t **out, uint8_t *other,
                                                              size_t other_size, size_t most);
__attribute__((visibility("default"))) void afl_custom_deinit(void *mutator);

void *afl_custom_init(void *afl, unsigned seed) {
  (void)afl;
  struct mutator *m = calloc(1, sizeof *m);
  if (m) m->seed = seed;
  return m;
}

size_t afl_custom_fuzz(void *mutator, uint8_t *input, size_t size, uint8_t **out, uint8_t *other, size_t other_size, size_t most) {
  struct mutator *m = mutator;
  unsigned seed = m->seed += 2;
  if (most > MOST) most = MOST;
  if (size > most) size = most;
  if (other && (seed >> 1) % 2) {
    size = LLVMFuzzerCustomCrossOver(input, size, other, other_size, m->out, most, seed);
  } else {
    memcpy(m->out, input, size);
  }
  *out = m->out;
  size = LLVMFuzzerCustomMutator(m->out, size, most, seed + 1);
  /* What is empty would not be tried. */
  if (!size) m->out[size++] = (uint8_t)seed;
  return size;
}

void afl_custom_deinit(void *mutator) { free(mutator); }
