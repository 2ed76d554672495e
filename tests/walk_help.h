/* SPDX-License-Identifier: MIT */
/* For the tests of walk.c: a visitor that adds up and holds each block to its promises, and a load of objects of many sizes. */
#ifndef COPSE_TESTS_WALK_HELP_H
#define COPSE_TESTS_WALK_HELP_H

#include "balance.h"
#include "random.h"
#include <string.h>

enum { OBJECTS = 6000 };

/* ---- a visitor that adds up, and holds each block to its promises ---- */

struct sums {
  uint64_t calls, blocks[COPSE_CLASSES], free[COPSE_CLASSES], bare[COPSE_CLASSES], slots[COPSE_CLASSES];
  uint64_t spans, span_bytes, span_cached;
  uint64_t order; /* arena, then class; spans are beyond all */
  const char *end;
  const void *wanted; /* an address */
  unsigned seen, live; /* how often it was in a block; in a slot that is not free */
};

static inline void look_for(struct sums *s, const struct copse_block *b) {
  uintptr_t offset = (uintptr_t)s->wanted - (uintptr_t)b->address;
  if ((uintptr_t)s->wanted < (uintptr_t)b->address || offset >= b->slots * b->size) return;
  s->seen++;
  s->live += !(b->free >> offset / b->size & 1);
}

static inline int add(const struct copse_block *blocks, size_t n, void *context) {
  struct sums *s = context;
  s->calls++;
  CHECK(n >= 1 && n <= 64);
  for (const struct copse_block *b = blocks; b < blocks + n; b++) {
    bool span = b->size_class == COPSE_CLASSES;
    uint64_t order = span ? 1000000 : (uint64_t)b->arena * 1000 + b->size_class;
    CHECK(order >= s->order && (order > s->order || (const char *)b->address >= s->end));
    CHECK(b == blocks || order == s->order);
    s->order = order;
    s->end = (const char *)b->address + b->size * b->slots;
    CHECK(b->slots >= 1 && b->slots <= 64 && !(b->free & ~low_bits(b->slots)) && !(b->bare & ~b->free));
    look_for(s, b);
    if (span) {
      CHECK(b->slots == 1 && !b->bare && !b->arena && region_of(b->address) >= region_spans());
      if (b->free) s->span_cached += b->size;
      else s->spans++, s->span_bytes += b->size;
      continue;
    }
    CHECK(region_of(b->address) == region_at(b->arena, b->size_class) && b->size == class_size(b->size_class));
    s->blocks[b->size_class]++;
    s->slots[b->size_class] += b->slots;
    s->free[b->size_class] += count_bits(b->free);
    s->bare[b->size_class] += count_bits(b->bare);
  }
  return 0;
}

static inline struct sums walk_for(const void *wanted) {
  struct sums s = {.wanted = wanted};
  CHECK(copse_heap_walk(add, &s) == 0);
  return s;
}

/* Other threads are at rest. */
static inline struct sums equal_statistics(void) {
  static struct copse_stats stats;
  static uint64_t frontier[COPSE_CLASSES];
  struct sums s = walk_for(NULL);
  copse_stats(&stats);
  memset(frontier, 0, sizeof frontier);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) frontier[p->class] += p->frontier;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    CHECK(s.blocks[class] == c->blocks && s.free[class] == c->free && s.bare[class] == c->bare);
    CHECK(s.slots[class] == frontier[class]);
  }
  CHECK(s.spans == stats.spans && s.span_bytes == stats.span_bytes && s.span_cached == stats.span_cached);
  return s;
}

/* ---- a load: objects of all classes ---- */

struct load {
  uint64_t seed;
  void *p[OBJECTS];
  size_t size[OBJECTS];
};

static inline void fill(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++) {
    l->size[i] = 1 + random_below(&l->seed, (size_t)16 << random_below(&l->seed, i % 16 ? 9 : 17));
    CHECK((l->p[i] = copse_alloc(l->size[i])));
  }
}
static inline void drain(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++)
    if (l->p[i]) copse_free(l->p[i], l->size[i]), l->p[i] = NULL;
}
static inline void thin(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++)
    if (i / 100 % 3) copse_free(l->p[i], l->size[i]), l->p[i] = NULL;
  copse_thread_flush();
}
static struct load loads[3];

#endif
