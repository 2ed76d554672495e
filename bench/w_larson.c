/* SPDX-License-Identifier: MIT */
/*
 * After Larson and Krishnan, "Memory allocation for long-running server applications": each chain is a row of threads,
 * one at a time.  A thread replaces random objects of the chain's set for some rounds, starts a successor that inherits
 * the set, and ends; so most frees are of objects that another, dead thread allocated.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <pthread.h>

#define GENERATIONS 65536

struct chain {
  _Alignas(128) struct item *items;
  struct random random;
  struct timed warm, t;
  pthread_t *threads; /* one a generation; written before its predecessor ends */
  unsigned generation;
};

static size_t slots, least, most;
static uint64_t ms, rounds;
static pthread_barrier_t begin;

static void refill(struct item *item, struct random *r) {
  item->size = random_between(r, least, most);
  stamp(item->ptr = bench_alloc(item->size), item->size);
}

static void *generation(void *argument) {
  struct chain *c = argument;
  struct random r = c->random;
  uint64_t ops = rounds * slots;
  if (c->generation == 0) {
    for (size_t i = 0; i < slots; i++) refill(&c->items[i], &r);
    pthread_barrier_wait(&begin);
    c->warm = timed_start(phase_ms(0, ms));
  }
  for (uint64_t i = 0; i < ops; i++) {
    struct item *item = &c->items[random_below(&r, slots)];
    bench_free(item->ptr, item->size);
    refill(item, &r);
  }
  c->random = r;

  bool more = true;
  if (c->t.limit)
    more = timed_more(&c->t, ops);
  else if (!timed_more(&c->warm, ops))
    c->t = timed_start(ms);
  if (more && c->generation + 1 < GENERATIONS) {
    c->generation++;
    check(!pthread_create(&c->threads[c->generation], NULL, generation, c), "a successor");
  }
  return NULL;
}

/* The successor's creation happens before the end of its predecessor, so that joining in order sees every one. */
static void join_all(struct chain *c) {
  for (unsigned i = 0; i < GENERATIONS && c->threads[i]; i++) pthread_join(c->threads[i], NULL);
}

void w_larson(void) {
  unsigned threads = (unsigned)option("threads", 1), n = cores();
  slots = option("slots", 5000);
  least = option("least", 16);
  most = option("most", 1000);
  rounds = option("rounds", 4);
  ms = option("ms", 300);
  check(threads >= 1 && threads <= MAX_THREADS, "threads= is from 1 to 256");
  struct chain *chains = harness_memory(threads * sizeof *chains);
  pthread_barrier_init(&begin, NULL, threads);
  for (unsigned i = 0; i < threads; i++) {
    chains[i].items = harness_memory(slots * sizeof *chains[i].items);
    chains[i].threads = harness_memory(GENERATIONS * sizeof *chains[i].threads);
    chains[i].random = random_seeded(400 + i);
    check(!pthread_create(&chains[i].threads[0], NULL, generation, &chains[i]), "a thread");
  }
  double sum = 0, generations = 0;
  for (unsigned i = 0; i < threads; i++) {
    join_all(&chains[i]);
    sum += timed_ns_per_op(&chains[i].t);
    generations += chains[i].generation + 1;
    for (size_t j = 0; j < slots; j++) {
      check(stamp_of(chains[i].items[j].ptr) == chains[i].items[j].size, "what the dead wrote");
      bench_free(chains[i].items[j].ptr, chains[i].items[j].size);
    }
  }
  result("replace", "ns", sum / threads * (n < threads ? (double)n / threads : 1));
  note("threads", generations);
}
