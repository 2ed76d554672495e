/* SPDX-License-Identifier: MIT */
/*
 * "peak_trim": what is free elsewhere goes back where memory in use would reach a new peak, and only there.  A load that
 * frees in one class and allocates in another holds the larger of the two, not their sum; what goes up and down below its
 * peak is left alone; and without the parameter nothing happens.
 */
#include "balance.h"
#include "random.h"
#include <pthread.h>
#include <string.h>

#define MB ((uint64_t)1 << 20)

enum { SMALL = 200, LARGE = 900, MOST = 200000 };

struct load {
  size_t size, n;
  void *object[MOST];
};
static struct load small = {.size = SMALL}, large = {.size = LARGE};

static struct copse_stats stats_now(void) {
  struct copse_stats stats;
  copse_stats(&stats);
  return stats;
}
static uint64_t in_use(void) { return stats_now().in_use; }
static uint64_t decommitted(void) { return stats_now().decommitted; }

/* Allocates so many bytes.  Returns the most that was in use on the way. */
static uint64_t build(struct load *l, uint64_t bytes) {
  uint64_t most = 0;
  while (l->n * l->size < bytes) {
    CHECK(l->n < MOST && (l->object[l->n] = copse_alloc(l->size)));
    *(size_t *)l->object[l->n++] = 1;
    if (l->n % 500 == 0 && in_use() > most) most = in_use();
  }
  return most;
}
static void drop(struct load *l) {
  while (l->n) copse_free(l->object[--l->n], l->size);
}

/* First one load, then the other.  Returns the most in use for each of them. */
static void one_then_the_other(uint64_t bytes, uint64_t most[2]) {
  most[0] = build(&small, bytes);
  drop(&small);
  most[1] = build(&large, bytes);
  struct live live = {{0}};
  for (size_t i = 0; i < large.n; i++) live_add(&live, large.object[i]);
  balance(&live);
  drop(&large);
}

FRESH(without_it_both_are_held) {
  uint64_t most[2];
  CHECK(copse_tune_set("peak_trim", 0) == 0);
  one_then_the_other(20 * MB, most);
  CHECK(most[1] > most[0] + 18 * MB);
  CHECK(decommitted() == 0);
}

FRESH(the_larger_is_held) {
  uint64_t most[2];
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  one_then_the_other(20 * MB, most);
  figure("most in use, of one load and of one after the other", "%zu and %zu KB", (size_t)(most[0] >> 10), (size_t)(most[1] >> 10));
  /* A step above the peak, and what the bundles of the guard's quarantine keep. */
  CHECK(most[1] < most[0] + most[0] / 100 * 6 + 4 * MB);
}

/* The marks are per cent apart: two loads that take turns soon have both, and then nothing is given back any more. */
FRESH(below_the_peak_nothing_goes) {
  CHECK(copse_tune_set("peak_trim", 25) == 0);
  uint64_t before = 0;
  unsigned last = 0;
  for (unsigned turn = 0; turn < 40; turn++) {
    build(turn % 2 ? &large : &small, 8 * MB);
    drop(turn % 2 ? &large : &small);
    if (decommitted() != before) last = turn;
    before = decommitted();
  }
  figure("turns of two loads, and the last that something was given back in", "40, %u", last);
  CHECK(last > 0 && last < 20);
}

/* Spans that are kept are not in use, and go; a span that is taken, or grows, may be what makes the peak. */
FRESH(kept_spans_go) {
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  if (INSTRUMENTED) CHECK(copse_tune_set("quarantine", 0) == 0);
  void *p = copse_alloc(24 * MB), *newest = copse_alloc(2 * MB); /* the guard's quarantine holds the newest */
  CHECK(p && newest);
  copse_free(p, 24 * MB);
  copse_free(newest, 2 * MB);
  CHECK(stats_now().span_cached >= 24 * MB);
  build(&small, 6 * MB);
  CHECK(stats_now().span_cached == 0);
  drop(&small);
  build(&large, 20 * MB);
  drop(&large);
  CHECK((p = copse_alloc(30 * MB)));
  CHECK(in_use() < 40 * MB);
  copse_free(p, 30 * MB);
}

/* The guard moves what is resized: where it was and where it is are in use at once. */
FRESH(growth_of_a_span_makes_a_peak) {
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  build(&small, 20 * MB);
  drop(&small);
  void *p = copse_alloc(2 * MB);
  uint64_t size = 2 * MB;
  for (; size < 64 * MB; size += 2 * MB) CHECK((p = copse_realloc(p, size, size + 2 * MB)));
  CHECK(in_use() < (INSTRUMENTED ? 2 : 1) * 64 * MB + 10 * MB);
  copse_free(p, size);
}

/* A thread without a record of its own has one for as long as that trim takes. */
static void *take_a_span(void *p) {
  CHECK((*(void **)p = copse_alloc(30 * MB)));
  return NULL;
}
FRESH(the_first_call_of_a_thread_makes_a_peak) {
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  build(&small, 20 * MB);
  drop(&small);
  uint64_t before = in_use(), threads = stats_now().threads;
  CHECK(before >= 20 * MB);
  pthread_t thread;
  void *p;
  CHECK(pthread_create(&thread, NULL, take_a_span, &p) == 0);
  pthread_join(thread, NULL);
  CHECK(in_use() < before - 10 * MB + 30 * MB && stats_now().threads == threads);
  copse_free(p, 30 * MB);
}

FRESH(zeroed_memory_makes_a_peak) {
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  build(&small, 20 * MB);
  drop(&small);
  enum { N = 900 };
  static void *block[N];
  for (unsigned i = 0; i < N; i++) CHECK((block[i] = copse_alloc_zeroed(32768)));
  CHECK(in_use() < N * (uint64_t)40960 + 10 * MB);
  for (unsigned i = 0; i < N; i++) copse_free(block[i], 32768);
}

/*
 * What one load frees is given back at a peak that another makes, and taken again: from then on its pool is left alone, for one
 * peak, for three, for seven.
 */
FRESH(what_goes_up_and_down_is_left_alone) {
  CHECK(copse_tune_set("peak_trim", 1) == 0);
  char given[100];
  unsigned n = 0, asked = 0;
  for (; n < 40; n++) {
    build(&small, 4 * MB);
    drop(&small);
    uint64_t before = decommitted();
    build(&large, (5 + 2 * (n + 1)) * MB); /* a peak at least */
    given[n] = decommitted() - before >= 3 * MB ? 'g' : '-';
    asked += given[n] == 'g';
  }
  figure("peaks, g where 4 MB were given back", "%.*s", (int)n, given);
  CHECK(asked >= 3 && asked <= 20);
  CHECK(memchr(given, 'g', 10));
  drop(&large);
}

/* Many reach it at once, at the least step there is; what each has is its own. */
enum { THREADS = 4, TURNS = 6 };
static void *grow(void *argument) {
  uint64_t seed = (uintptr_t)argument + 1;
  struct load *l = calloc(1, sizeof *l);
  CHECK(l);
  for (unsigned turn = 0; turn < TURNS; turn++) {
    l->size = 64 + (size_t)random_below(&seed, 1500);
    while (l->n * l->size < (turn + 1) * MB) {
      CHECK((l->object[l->n] = copse_alloc(l->size)));
      memset(l->object[l->n], (int)(uintptr_t)argument, l->size);
      l->n++;
    }
    for (size_t i = 0; i < l->n; i++) CHECK(*((unsigned char *)l->object[i] + l->size - 1) == (uintptr_t)argument);
    drop(l);
  }
  free(l);
  return NULL;
}
FRESH(several_threads_at_once) {
  CHECK(copse_tune_set("peak_trim", 1) == 0);
  pthread_t thread[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, grow, (void *)(i + 1)) == 0);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  CHECK(decommitted() > 0);
  copse_trim();
  balance_empty();
}

/* Set late, it holds from the next mark on. */
FRESH(set_late) {
  CHECK(copse_tune_set("peak_trim", 0) == 0);
  build(&small, 10 * MB);
  drop(&small);
  CHECK(copse_tune_set("peak_trim", 6) == 0);
  build(&large, 20 * MB);
  CHECK(in_use() < 27 * MB && decommitted() > 0);
  drop(&large);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_it_both_are_held), cmocka_unit_test(the_larger_is_held),
    cmocka_unit_test(below_the_peak_nothing_goes), cmocka_unit_test(kept_spans_go),
    cmocka_unit_test(growth_of_a_span_makes_a_peak), cmocka_unit_test(the_first_call_of_a_thread_makes_a_peak),
    cmocka_unit_test(zeroed_memory_makes_a_peak),
    cmocka_unit_test(what_goes_up_and_down_is_left_alone), cmocka_unit_test(several_threads_at_once),
    cmocka_unit_test(set_late),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
