/* SPDX-License-Identifier: MIT */
/*
 * A mutator that knows of records (op.h): it cuts, repeats, moves and exchanges whole ones, and changes one field of one.  For
 * libFuzzer, and by mutator_afl.c for AFL++; it calls LLVMFuzzerMutate only where there is one.
 */
#include "op.h"
#include <string.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size, uint8_t *out,
                                 size_t room, unsigned seed);
extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));

/* splitmix64: G. L. Steele, D. Lea, C. H. Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014. */
static uint64_t next(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}
static size_t below(uint64_t *state, size_t n) { return n ? (size_t)(next(state) % n) : 0; }

struct records {
  uint8_t *data;
  size_t count, most;
};

static uint8_t *record(const struct records *r, size_t i) { return r->data + i * OP_BYTES; }

/* Makes room for n records at `at`, at most as many as fit; returns how many. */
static size_t open_up(struct records *r, size_t at, size_t n) {
  if (n > r->most - r->count) n = r->most - r->count;
  memmove(record(r, at + n), record(r, at), (r->count - at) * OP_BYTES);
  r->count += n;
  return n;
}

static void make(struct records *r, uint64_t *state) {
  size_t at = below(state, r->count + 1);
  if (!open_up(r, at, 1)) return;
  uint64_t bytes = next(state);
  memcpy(record(r, at), &bytes, OP_BYTES);
}

static void repeat(struct records *r, uint64_t *state) {
  uint8_t copy[8 * OP_BYTES];
  size_t from = below(state, r->count), n = 1 + below(state, 8);
  if (n > r->count - from) n = r->count - from;
  memcpy(copy, record(r, from), n * OP_BYTES);
  size_t at = below(state, r->count + 1);
  n = open_up(r, at, n);
  memcpy(record(r, at), copy, n * OP_BYTES);
}

static void cut(struct records *r, uint64_t *state) {
  size_t from = below(state, r->count), n = 1 + below(state, 1 + below(state, 16));
  if (n > r->count - from) n = r->count - from;
  memmove(record(r, from), record(r, from + n), (r->count - from - n) * OP_BYTES);
  r->count -= n;
}

static void exchange(struct records *r, uint64_t *state) {
  uint8_t copy[OP_BYTES], *a = record(r, below(state, r->count)), *b = record(r, below(state, r->count));
  memcpy(copy, a, OP_BYTES);
  memmove(a, b, OP_BYTES);
  memcpy(b, copy, OP_BYTES);
}

/* One field: another value, one of another record, or the next to what it was. */
static void change(struct records *r, uint64_t *state) {
  uint8_t *to = record(r, below(state, r->count)), *other = record(r, below(state, r->count));
  size_t field = below(state, 5);
  switch (below(state, 4)) {
  case 0:
    if (field < 4) to[field] = (uint8_t)next(state);
    else
      for (int i = 4; i < 8; i++) to[i] = (uint8_t)next(state);
    break;
  case 1: memmove(to + field, other + field, field < 4 ? 1 : 4); break;
  case 2: to[field] = (uint8_t)(to[field] + 1); break;
  default: to[field] = (uint8_t)(to[field] ^ 1u << below(state, 8)); break;
  }
}

/* The same as the one before it, but for the kind: what was allocated is freed, what was freed is asked for again. */
static void pair(struct records *r, uint64_t *state) {
  size_t at = below(state, r->count);
  if (!open_up(r, at, 1)) return;
  memcpy(record(r, at), record(r, at + 1), OP_BYTES);
  record(r, at + 1)[0] = (uint8_t)next(state);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed) {
  uint64_t state = seed;
  struct records r = {data, size / OP_BYTES, room / OP_BYTES};
  if (LLVMFuzzerMutate && below(&state, 4) == 0) return LLVMFuzzerMutate(data, size, room);
  for (size_t n = 1 + below(&state, 3); n; n--) {
    if (!r.count) {
      make(&r, &state);
      continue;
    }
    switch (below(&state, 8)) {
    case 0: make(&r, &state); break;
    case 1: repeat(&r, &state); break;
    case 2: cut(&r, &state); break;
    case 3: exchange(&r, &state); break;
    case 4: pair(&r, &state); break;
    default: change(&r, &state); break;
    }
  }
  return r.count * OP_BYTES;
}

/* The beginning of one and the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size, uint8_t *out,
                                 size_t room, unsigned seed) {
  uint64_t state = seed;
  size_t head = below(&state, one_size / OP_BYTES + 1), skip = below(&state, other_size / OP_BYTES + 1);
  size_t tail = other_size / OP_BYTES - skip, most = room / OP_BYTES;
  if (head > most) head = most;
  if (tail > most - head) tail = most - head;
  memcpy(out, one, head * OP_BYTES);
  memcpy(out + head * OP_BYTES, other + skip * OP_BYTES, tail * OP_BYTES);
  return (head + tail) * OP_BYTES;
}
