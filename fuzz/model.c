/* SPDX-License-Identifier: MIT */
#include "model.h"
#include "expect.h"
#include <string.h>

/*
 * Words are written, at multiples of 8: all of a small allocation's; of a larger one those at its beginning and before each of its ends
 * (what was asked for, what may be used, what it is about to be shortened to), and one every so often in between.
 */
enum { WHOLE = 4096, EDGE = 64 };

static size_t step_of(size_t bytes) { return bytes <= WHOLE ? 8 : bytes <= 65536 ? 512 : 4096; }

/* The first word from `next` on that is written: `found`, or one before it that belongs to this end. */
static size_t before_end(size_t next, size_t found, size_t end) {
  size_t begin = end > EDGE ? (end - EDGE) & ~(size_t)7 : 0;
  if (next >= end) return found;
  return next >= begin ? next : begin < found ? begin : found;
}

static size_t next_word(const struct live *l, size_t at) {
  size_t step = step_of(l->usable), next = at + 8, found = next < EDGE ? next : (at / step + 1) * step;
  return before_end(next, before_end(next, before_end(next, found, l->asked), l->usable), l->marked);
}

static uint64_t word_of(uint64_t seed, size_t at) { return (seed * 0x9E3779B97F4A7C15u) ^ (at + 1) * 0xD6E8FEB86659FD93u; }

/* The last one may be a part of a word. */
static size_t part(size_t at, size_t end) { return end - at < 8 ? end - at : 8; }

static void write_bytes(const struct live *l) {
  for (size_t at = 0; at < l->usable; at = next_word(l, at)) {
    uint64_t word = word_of(l->seed, at);
    memcpy(l->at + at, &word, part(at, l->usable));
  }
}

bool model_holds(const struct live *l, const void *p, size_t length) {
  const unsigned char *bytes = p;
  for (size_t at = 0; at < length && at < l->usable; at = next_word(l, at)) {
    uint64_t word = word_of(l->seed, at);
    if (memcmp(bytes + at, &word, part(at, length < l->usable ? length : l->usable)) != 0) return false;
  }
  return true;
}

void model_mark(struct live *l, size_t end) {
  l->marked = end;
  write_bytes(l);
}

void model_clear(struct model *m, uint64_t seed) {
  m->count = 0;
  m->bytes = 0;
  m->seed = seed;
  m->may_fail = m->crowded = false;
}

/* Each byte is the one before it, and the first is zero. */
static bool all_zero(const unsigned char *p, size_t length) { return !p[0] && memcmp(p, p + 1, length - 1) == 0; }

struct live *model_add(struct model *m, void *p, size_t asked, size_t usable, size_t aligned, size_t zeros) {
  unsigned char *at = p;
  expect(m->count < MODEL_MOST);
  expect(usable >= asked && usable > 0);
  expect((uintptr_t)at % aligned == 0);
  for (size_t i = 0; i < m->count; i++) expect(at + usable <= m->live[i].at || m->live[i].at + m->live[i].usable <= at);
  if (zeros) expect(all_zero(at, zeros));
  struct live *l = &m->live[m->count++];
  *l = (struct live){at, asked, usable, 0, 0, ++m->seed};
  m->bytes += usable;
  write_bytes(l);
  return l;
}

struct live model_take(struct model *m, size_t which) {
  expect(which < m->count);
  struct live l = m->live[which];
  expect(model_holds(&l, l.at, l.usable));
  m->live[which] = m->live[--m->count];
  m->bytes -= l.usable;
  return l;
}

void model_check(const struct model *m) {
  for (size_t i = 0; i < m->count; i++) expect(model_holds(&m->live[i], m->live[i].at, m->live[i].usable));
}

void model_adopt(struct model *m, const struct live *l) {
  expect(m->count < MODEL_MOST);
  expect(model_holds(l, l->at, l->usable));
  for (size_t i = 0; i < m->count; i++)
    expect(l->at + l->usable <= m->live[i].at || m->live[i].at + m->live[i].usable <= l->at);
  m->live[m->count++] = *l;
  m->bytes += l->usable;
}
