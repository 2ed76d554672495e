/* SPDX-License-Identifier: MIT */
/*
 * After the pattern known as sh6: size by size, ascending from 16 to 1000, each thread allocates a batch (the smaller
 * the size the larger the batch) and frees the batch before it, in order and reversed by turns; every fifth object is
 * kept until the pass is over, and then all those go, last in first out.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#define LEAST     16
#define MOST      1000
#define STEP      8
#define BATCH_MAX 256
#define KEEP      5

static uint64_t ms;

struct batch {
  size_t size, count;
  void *ptrs[BATCH_MAX];
};

struct state {
  struct batch batches[2];
  size_t kept_count;
  struct item kept[(MOST - LEAST) / STEP * BATCH_MAX / KEEP + BATCH_MAX];
};

static size_t count_for(size_t size) {
  size_t n = 8192 / size;
  return n > BATCH_MAX ? BATCH_MAX : n;
}

static void fill(struct batch *b, size_t size) {
  b->size = size;
  b->count = count_for(size);
  for (size_t i = 0; i < b->count; i++) stamp(b->ptrs[i] = bench_alloc(size), size);
}

static inlined void drop(struct state *s, const struct batch *b, size_t i) {
  if (i % KEEP == 0)
    s->kept[s->kept_count++] = (struct item){b->ptrs[i], b->size};
  else
    bench_free(b->ptrs[i], b->size);
}

static uint64_t pass(struct state *s) {
  uint64_t ops = 0;
  unsigned turn = 0;
  s->batches[1].count = 0;
  for (size_t size = LEAST; size <= MOST; size += STEP, turn++) {
    struct batch *now = &s->batches[turn & 1], *before = &s->batches[~turn & 1];
    fill(now, size);
    ops += now->count;
    if (turn & 2)
      for (size_t i = before->count; i-- > 0;) drop(s, before, i);
    else
      for (size_t i = 0; i < before->count; i++) drop(s, before, i);
    before->count = 0;
  }
  for (unsigned b = 0; b < 2; b++) {
    for (size_t i = 0; i < s->batches[b].count; i++) drop(s, &s->batches[b], i);
    s->batches[b].count = 0;
  }
  while (s->kept_count > 0) {
    struct item item = s->kept[--s->kept_count];
    if (stamp_of(item.ptr) != item.size) check(false, "what was kept");
    bench_free(item.ptr, item.size);
  }
  return ops;
}

static void body(unsigned index) {
  struct state *s = harness_memory(sizeof *s);
  struct timed t = {0};
  team_start();
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    while (timed_more(&t, pass(s))) {
    }
  }
  team_finish(index, &t);
}

void w_sh6(void) {
  ms = option("ms", 300);
  team_run((unsigned)option("threads", 1), body);
  result("object", "ns", team_ns_per_op());
}
