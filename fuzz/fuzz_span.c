/* SPDX-License-Identifier: MIT */
/*
 * Spans alone, against a naive bitmap: a byte a granule.  Beyond what a model of allocations sees: a request is refused only where
 * there is no free run for it, or the limit forbids it, whatever lies in the cache.  Explicit huge pages are pretended ones.
 */
#include "expect.h"
#include "op.h"
#include "region.h"
#include "span.h"
#include "setup.h"
#include "target.h"
#include "tunables.h"
#include "vm_faults.h"
#include <string.h>

enum { GRANULES = 384, LIVE = 64 };

static struct span {
  char *at;
  uint64_t length, seed;
} live[LIVE];
static unsigned count;
static unsigned char used[GRANULES];
static uint64_t seeds;

static void start(void) {
  if (setup_first()) {
    copse_vm_start();
    if (!copse_vm_facts.huge) copse_vm_facts.huge = GRANULE;
    vm_faults_install();
    /* One arena: 64 regions, of which three are the spans'. */
    copse_tunables.arenas = 1;
    copse_tunables.reserve = 64 * (GRANULES / 3) * GRANULE;
    expect(copse_region_start() && copse_span_start());
  }
  copse_tunables.huge = 1;
  copse_tunables.span_cache = 32 << 20;
  copse_tunables.limit = 0;
  vm_faults_reset();
  vm_faults.huge_1g = vm_faults.huge_2m = 0;
}

static uint64_t granules_of(uint64_t length) { return (length + GRANULE - 1) / GRANULE; }
static uint64_t index_of(const char *p) { return (uint64_t)(p - region_base(region_spans())) / GRANULE; }
static uint64_t rounded(uint64_t size) { return round_up(size, copse_vm_facts.page); }

/* Whether that many granules in a row are free, beginning at a multiple of the alignment. */
static bool there_is_room(uint64_t size, uint64_t alignment) {
  uint64_t need = granules_of(size);
  for (uint64_t first = 0, i; first + need <= GRANULES; first++) {
    if ((uintptr_t)(region_base(region_spans()) + first * GRANULE) % alignment) continue;
    for (i = 0; i < need && !used[first + i];) i++;
    if (i == need) return true;
  }
  return false;
}

static void mark(const struct span *s, bool on) {
  for (uint64_t i = index_of(s->at), end = i + granules_of(s->length); i < end; i++) {
    expect(i < GRANULES && used[i] == !on);
    used[i] = on;
  }
}

/* A word at the beginning of each granule, and the last one. */
static uint64_t *word(char *p, uint64_t at) { return (uint64_t *)(void *)(p + at); }
static uint64_t seed_at(const struct span *s, uint64_t at) { return s->seed * 0x9E3779B97F4A7C15u + at; }
static void fill(const struct span *s) {
  for (uint64_t at = 0; at < s->length; at += GRANULE) *word(s->at, at) = seed_at(s, at);
  *word(s->at, s->length - 8) = seed_at(s, s->length);
}
static void check(const struct span *s, char *p, uint64_t length) {
  for (uint64_t at = 0; at < length && at < s->length; at += GRANULE) expect(*word(p, at) == seed_at(s, at));
  if (length >= s->length) expect(*word(p, s->length - 8) == seed_at(s, s->length));
}

static void add(char *p, uint64_t size, bool zero) {
  struct span *s = &live[count++];
  uint64_t length = copse_span_size(p);
  expect(length >= size && length % copse_vm_facts.page == 0);
  *s = (struct span){p, length, ++seeds};
  mark(s, true);
  if (zero)
    for (uint64_t at = 0; at < length; at += at % GRANULE == GRANULE - 8 ? 8 : at % GRANULE ? GRANULE - 16 : 8) expect(!*word(p, at));
  if (zero) expect(!*word(p, length - 8));
  fill(s);
  expect(!copse_tunables.limit || copse_vm_counters.in_use <= copse_tunables.limit);
}

static uint64_t size_of(const struct op *op) {
  uint64_t size = (uint64_t)(op->size & 31) * GRANULE + (op->size & 32 ? op->value % GRANULE : 0);
  return size > 8 ? size : (uint64_t)1 << 20;
}

static void allocate(const struct op *op, bool zero) {
  if (count == LIVE) return;
  uint64_t size = size_of(op), alignment = op->more & 1 ? (uint64_t)1 << (op->more >> 1) % 28 : 1;
  char *p = copse_span_alloc(size, alignment, zero);
  if (p) {
    expect((uintptr_t)p % max_u64(alignment, GRANULE) == 0);
    add(p, size, zero);
  } else {
    expect(copse_tunables.limit || !there_is_room(size, max_u64(alignment, GRANULE)));
  }
}

static void release(unsigned which) {
  struct span s = live[which];
  check(&s, s.at, s.length);
  expect(!copse_span_free(s.at + GRANULE / 2) && !copse_span_free(s.at - 1));
  if (s.length > GRANULE) expect(!copse_span_free(s.at + GRANULE) && copse_span_size(s.at + GRANULE) == 0);
  expect(copse_span_free(s.at));
  expect(!copse_span_free(s.at) && copse_span_size(s.at) == 0);
  mark(&s, false);
  live[which] = live[--count];
}

static void resize(const struct op *op) {
  if (!count) return;
  struct span *s = &live[op->which % count], before = *s;
  uint64_t size = size_of(op);
  char *p = copse_span_resize(s->at, size);
  if (!p) {
    check(s, s->at, s->length);
    expect(copse_span_size(s->at) == s->length);
    return;
  }
  expect(copse_span_size(p) == rounded(size));
  check(&before, p, min_u64(size, before.length));
  mark(s, false);
  s->at = p;
  s->length = rounded(size);
  mark(s, true);
  fill(s);
  expect(!copse_tunables.limit || size <= before.length || copse_vm_counters.in_use <= copse_tunables.limit);
}

static void one(const struct op *op) {
  switch (op->kind % 10) {
  case 0: allocate(op, false); break;
  case 1: allocate(op, true); break;
  case 2:
  case 3:
    if (count) release(op->which % count);
    break;
  case 4:
  case 5: resize(op); break;
  case 6: copse_span_trim(); break;
  case 7: copse_span_shrink(); break;
  case 8: copse_tunables.span_cache = (uint64_t)op->value % 64 << 20; break;
  case 9:
    if (op->more & 1) copse_tunables.limit = op->more & 2 ? copse_vm_counters.in_use + ((uint64_t)op->value % 32 << 20) : 0;
    else copse_tunables.huge = (op->more >> 1) % 3, vm_faults.huge_2m = op->value % 16;
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  start();
  while (op_next(&ops, &op)) {
    uint64_t bytes = 0;
    one(&op);
    for (unsigned i = 0; i < count; i++) bytes += live[i].length;
    expect(copse_span_valid());
    expect(copse_span_counters.spans == count && copse_span_counters.bytes == bytes);
    expect(copse_vm_counters.in_use == bytes + copse_span_counters.cached);
  }
  while (count) release(count - 1);
  copse_span_trim();
  copse_span_shrink();
  expect(copse_span_valid() && copse_span_counters.cached == 0 && copse_vm_counters.in_use == 0);
  return 0;
}
