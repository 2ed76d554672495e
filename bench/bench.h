/* SPDX-License-Identifier: MIT */
/*
 * What every workload uses: options, results, time, random numbers, threads.
 *
 * The harness's own memory is mapped, never allocated, so that the allocator under test serves the workload alone.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define MAX_THREADS 256
#define inlined     inline __attribute__((always_inline))

/* ------------------------------------------------------------------ options and results (bench.c) */

/* The value of `key=value` on the command line; K, M and G are powers of 1024. */
uint64_t option(const char *key, uint64_t otherwise);
/* The same for a word. */
const char *option_word(const char *key, const char *otherwise);
/* Whether the word option has this value. */
bool option_is(const char *key, const char *otherwise, const char *value);

/* One figure of the row: lower is better for all of them. */
void result(const char *metric, const char *unit, double value);
/* A figure to understand the others by, never compared. */
void note(const char *name, double value);
/* Ends the process with a message unless it holds: what a workload wrote must still be there. */
void check(bool holds, const char *what);

/* ------------------------------------------------------------------ memory of the harness (bench.c) */

/* Zeroed and touched. */
void *harness_memory(size_t bytes);
/* Pushes everything else out of the caches. */
void evict_caches(void);
/* Bytes resident now, exactly; at most ever. */
uint64_t resident_bytes(void);
uint64_t peak_bytes(void);

/* ------------------------------------------------------------------ time */

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A measurement that ends at the first chunk of operations after its time is up, so that a slow allocator does fewer
 * operations, not a longer run. */
struct timed {
  uint64_t start, end, limit, ops;
};

static inline struct timed timed_start(uint64_t milliseconds) {
  struct timed t = {.limit = milliseconds * 1000000u};
  t.start = now_ns();
  return t;
}

static inline bool timed_more(struct timed *t, uint64_t ops) {
  t->ops += ops;
  t->end = now_ns();
  return t->end - t->start < t->limit;
}

static inline double timed_ns_per_op(const struct timed *t) { return (double)(t->end - t->start) / (double)t->ops; }

/* How long a phase lasts: first a fifth of the time unmeasured, then all of it. */
#define PHASES 2
static inline uint64_t phase_ms(unsigned phase, uint64_t ms) { return phase ? ms : ms / 5 + 1; }

/* ------------------------------------------------------------------ random numbers */

struct random {
  uint64_t state;
};

static inline struct random random_seeded(uint64_t stream) {
  struct random r = {(stream + option("seed", 1)) * 0x9e3779b97f4a7c15u ^ 0xd1b54a32d192ed03u};
  if (!r.state) r.state = 1;
  return r;
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled"). */
static inline uint64_t random_next(struct random *r) {
  r->state ^= r->state >> 12;
  r->state ^= r->state << 25;
  r->state ^= r->state >> 27;
  return r->state * 0x2545f4914f6cdd1du;
}

/* pre: 0 < n <= 2^32. */
static inline uint64_t random_below(struct random *r, uint64_t n) { return ((random_next(r) >> 32) * n) >> 32; }
static inline size_t random_between(struct random *r, size_t least, size_t most) {
  return least + random_below(r, most - least + 1);
}

/* ------------------------------------------------------------------ objects */

/* The size stands beside the pointer, not in the object: a sized free must not have to touch what it frees. */
struct item {
  void *ptr;
  size_t size;
};

/* The light touch that a real program gives: the first word, which fits in the smallest object used (16 bytes). */
static inline void stamp(void *ptr, uint64_t word) { *(volatile uint64_t *)ptr = word; }
static inline uint64_t stamp_of(const void *ptr) { return *(const volatile uint64_t *)ptr; }

/* One word of each page. */
static inline void touch_pages(void *ptr, size_t from, size_t to) {
  for (size_t at = from; at < to; at += 4096) *(volatile uint64_t *)((char *)ptr + at) = at;
}

static inline void shuffle_items(struct item *items, size_t n, struct random *r) {
  for (size_t i = n; i > 1; i--) {
    size_t j = random_below(r, i);
    struct item t = items[i - 1];
    items[i - 1] = items[j];
    items[j] = t;
  }
}

/* ------------------------------------------------------------------ threads (team.c) */

/* Runs body(0..threads) in threads of their own and joins them. */
void team_run(unsigned threads, void (*body)(unsigned index));
/* In a body: waits until all are set up.  Setting up before it is not measured. */
void team_start(void);
/* In a body: notes this thread's measurement, then waits until all have theirs, so that nobody tears down while
 * another still measures. */
void team_finish(unsigned index, const struct timed *t);
/* The time that a core spends on an operation: the mean over threads of elapsed / operations, scaled down where
 * threads share cores. */
double team_ns_per_op(void);
/* Cores that this process may run on. */
unsigned cores(void);

#endif
