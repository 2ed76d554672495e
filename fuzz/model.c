/* SPDX-License-Identifier: MIT */
#include "model.h"
#include "expect.h"
#include <string.h>

/* A word is written every so often, and the last byte: each in small allocations, one a page in large ones. */
static size_t step_of(size_t bytes) { return bytes <= 1024 ? 8 : bytes <= 65536 ? 512 : 4096; }

static uint64_t word_of(uint64_t seed, size_t at) { return (seed * 0x9E3779B97F4A7C15u) ^ (at + 1) * 0xD6E8FEB86659FD93u; }

static unsigned char last_of(uint64_t seed) { return (unsigned char)(seed * 151 + 7); }

static void write_bytes(const struct live *l) {
  for (size_t at = 0; at + 8 <= l->usable; at += step_of(l->usable)) {
    uint64_t word = word_of(l->seed, at);
    memcpy(l->at + at, &word, 8);
  }
  l->at[l->usable - 1] = last_of(l->seed);
}

bool model_holds(const struct live *l, const void *p, size_t length) {
  const unsigned char *bytes = p;
  for (size_t at = 0; at + 8 <= l->usable; at += step_of(l->usable)) {
    uint64_t word = word_of(l->seed, at);
    /* The last byte was written over the last word. */
    size_t end = at + 8 == l->usable ? 7 : 8;
    if (at + end <= length && memcmp(bytes + at, &word, end) != 0) return false;
  }
  return length < l->usable || bytes[l->usable - 1] == last_of(l->seed);
}

void model_clear(struct model *m, uint64_t seed) {
  m->count = 0;
  m->bytes = 0;
  m->seed = seed;
  m->may_fail = false;
}

static bool all_zero(const unsigned char *p, size_t length) {
  size_t step = length <= 65536 ? 1 : 61;
  for (size_t at = 0; at < length; at += step)
    if (p[at]) return false;
  return !p[length - 1];
}

struct live *model_add(struct model *m, void *p, size_t asked, size_t usable, size_t aligned, size_t zeros) {
  unsigned char *at = p;
  expect(m->count < MODEL_MOST);
  expect(usable >= asked && usable > 0);
  expect((uintptr_t)at % aligned == 0);
  for (size_t i = 0; i < m->count; i++) expect(at + usable <= m->live[i].at || m->live[i].at + m->live[i].usable <= at);
  if (zeros) expect(all_zero(at, zeros));
  struct live *l = &m->live[m->count++];
  *l = (struct live){at, asked, usable, 0, ++m->seed};
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
