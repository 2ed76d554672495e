/* SPDX-License-Identifier: MIT */
/* The traps that want threads: 1, 6, 10 and 15 (test_traps.c has the list). */
#include "balance.h"
#include "random.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* ---- 1. A pop that marks the head "reserved" while others spin: not lock-free ---- */

/* One thread pops and pushes, and is stopped by a signal anywhere in it; the other one goes on meanwhile. */
enum { BUNDLES = 8, STOPS = 400, GOES = 2000 };
static struct bundle bundles[BUNDLES] __attribute__((aligned(BUNDLE_BYTES)));
static struct recycler recycler;
static atomic_bool over;
static atomic_int stopped, let_go;

static void stop_here(int signal) {
  (void)signal;
  int turn = atomic_fetch_add(&stopped, 1) + 1;
  struct timespec moment = {0, 20000};
  while (atomic_load(&let_go) < turn) nanosleep(&moment, NULL);
}

static void one_go(void) {
  struct bundle *b = copse_recycler_pop_mpmc(&recycler);
  if (b) CHECK(copse_recycler_push_mpmc(&recycler, b, RECYCLER_MAX));
}

static atomic_ulong goes;

static void *victim(void *unused) {
  while (!atomic_load(&over)) {
    one_go();
    atomic_fetch_add_explicit(&goes, 1, memory_order_relaxed);
  }
  return unused;
}

FRESH(trap_1_a_stopped_thread_stops_nobody) {
  pthread_t thread;
  struct sigaction action = {.sa_handler = stop_here};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (unsigned i = 0; i < BUNDLES; i++) {
    bundle_open(&bundles[i], 64);
    CHECK(copse_recycler_push_mpmc(&recycler, &bundles[i], RECYCLER_MAX));
  }
  CHECK(pthread_create(&thread, NULL, victim, NULL) == 0);
  uint64_t seed = 1, missing = 0;
  unsigned stops = LESS(STOPS);
  for (unsigned i = 1; i <= stops; i++) {
    for (unsigned long until = goes + 5 + random_below(&seed, 50); goes < until;) {} /* it is well on its way */
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    while (atomic_load(&stopped) < (int)i) sched_yield();
    for (unsigned go = 0; go < GOES; go++) one_go(); /* for ever, if it waited for the other one */
    missing += recycler_count(&recycler) < BUNDLES;
    atomic_store(&let_go, (int)i);
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  CHECK(recycler_count(&recycler) == BUNDLES);
  CHECK(missing > 0);
  figure("stops anywhere in a pop or push", "%u, of them %llu with a bundle in its hands; %d pops and pushes went on during each",
         stops, (unsigned long long)missing, GOES);
}

/* ---- 6. Commit racing trim: a block adopted without access, or its new contents thrown away ---- */

static const size_t racing_sizes[] = {64, 700, 2048, 4096, 5120, 20000, 70000};
static atomic_ulong rounds_done;

static void *writer(void *argument) {
  enum { N = 300 };
  uint64_t seed = (uintptr_t)argument + 1;
  uint64_t *p[N];
  size_t words[N];
  while (!atomic_load(&over)) {
    for (unsigned i = 0; i < N; i++) {
      size_t size = racing_sizes[random_below(&seed, sizeof racing_sizes / sizeof *racing_sizes)];
      words[i] = size / 8;
      CHECK((p[i] = i % 4 == 0 ? copse_alloc_zeroed(size) : copse_alloc(size)));
      for (size_t w = 0; w < words[i]; w += 64) {
        CHECK(i % 4 || p[i][w] == 0);
        p[i][w] = (uintptr_t)&p[i][w];
      }
    }
    if (random_below(&seed, 4) == 0) sched_yield();
    for (unsigned i = 0; i < N; i++) {
      for (size_t w = 0; w < words[i]; w += 64) CHECK(p[i][w] == (uintptr_t)&p[i][w]);
      copse_free_unsized(p[i]);
    }
    copse_thread_flush(); /* so that the pools are where they meet */
    atomic_fetch_add(&rounds_done, 1);
  }
  return NULL;
}

static void *trimmer(void *argument) {
  size_t *bytes = argument;
  while (!atomic_load(&over)) *bytes += copse_trim();
  return NULL;
}

FRESH(trap_6_commit_and_trim_race) {
  pthread_t threads[4];
  size_t bytes[2] = {0};
  CHECK(copse_tune_set("growth_max", 65536) == 0 && copse_tune_set("growth_min", 4096) == 0);
  for (uintptr_t i = 0; i < 2; i++) {
    CHECK(pthread_create(&threads[i], NULL, writer, (void *)i) == 0);
    CHECK(pthread_create(&threads[2 + i], NULL, trimmer, &bytes[i]) == 0);
  }
  usleep(1500000);
  atomic_store(&over, true);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK(bytes[0] > 0 && bytes[1] > 0 && rounds_done > 0);
  balance_empty();
  figure("rounds of 300 objects against two trimming threads", "%lu; %zu MB were given back meanwhile", rounds_done,
         (bytes[0] + bytes[1]) >> 20);
}

/* ---- 10. Access after thread-local teardown; destructors get only four rounds ---- */

/* The thread sanitizer is gone before the last round. */
enum { KEYS = 6, ROUNDS = UNDER_TSAN ? 2 : PTHREAD_DESTRUCTOR_ITERATIONS };
static pthread_key_t keys[KEYS];
static atomic_int destructions;

struct carried {
  int key, round;
  void *more;
};

static void carry(int key, int round) {
  struct carried *c = copse_alloc(sizeof *c);
  CHECK(c);
  *c = (struct carried){key, round, copse_alloc_zeroed(200 + (size_t)key)};
  CHECK(c->more && pthread_setspecific(keys[key], c) == 0);
}

/* Runs before and after the library's own, as often as the system lets it. */
static void destroy(void *value) {
  struct carried *c = value;
  int key = c->key, round = c->round;
  void *burst[150];
  CHECK(copse_alloc_batch(48, 150, burst) == 150);
  for (unsigned i = 0; i < 150; i++) memset(burst[i], key, 48);
  copse_free_batch(48, 150, burst);
  copse_free(copse_realloc(c->more, 200 + (size_t)key, 3000), 3000);
  copse_free(copse_alloc(2 << 20), 2 << 20);
  copse_free_unsized(c);
  copse_checkpoint();
  copse_thread_flush();
  atomic_fetch_add(&destructions, 1);
  if (round + 1 < ROUNDS) carry(key, round + 1);
}

static void *carrier(void *unused) {
  for (int i = 0; i < KEYS; i++) carry(i, 0);
  return unused;
}

FRESH(trap_10_destructors_may_allocate_and_free_to_the_last_round) {
  /* Keys from before the library's own, and from behind it. */
  for (int i = 0; i < KEYS / 2; i++) CHECK(pthread_key_create(&keys[i], destroy) == 0);
  copse_free(copse_alloc(1), 1);
  for (int i = KEYS / 2; i < KEYS; i++) CHECK(pthread_key_create(&keys[i], destroy) == 0);
  struct copse_stats early, late;
  for (int i = 0; i < 50; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, carrier, NULL) == 0);
    pthread_join(thread, NULL);
    copse_stats(i ? &late : &early);
  }
  CHECK(destructions == 50 * KEYS * ROUNDS);
  /* No record is left behind taken.  The instrumented library's own records and stacks grow meanwhile. */
  CHECK(late.threads == 1 && (INSTRUMENTED || late.metadata == early.metadata));
  copse_trim();
  balance_empty();
  figure("destructors that allocated and freed", "%d in 50 threads", destructions);
}

/* ---- 15. Depth tuned at run time while old bundles are out ---- */

enum { SHELF = 4000 };
static _Atomic(uint32_t *) shelf[SHELF];

static void *exchange(void *argument) {
  uint64_t seed = (uintptr_t)argument + 1;
  static const uint32_t sizes[] = {32, 64, 3000, 20000, 100000};
  while (!atomic_load(&over)) {
    uint32_t size = sizes[random_below(&seed, random_below(&seed, 20) ? 3 : 5)], *p = copse_alloc(size);
    CHECK(p);
    p[0] = size;
    p[1] = (uint32_t)(uintptr_t)p;
    if ((p = atomic_exchange(&shelf[random_below(&seed, SHELF)], p))) {
      CHECK(p[1] == (uint32_t)(uintptr_t)p);
      p[1] = 0;
      copse_free(p, p[0]);
    }
  }
  return NULL;
}

FRESH(trap_15_depth_may_change_at_any_time) {
  static const char *const names[] = {"depth_1k", "depth_8k", "depth_64k", "depth_1m", "recycler"};
  static const uint64_t least[] = {4, 2, 1, 1, 0}, most[] = {64, 64, 64, 64, 60};
  pthread_t threads[3];
  uint64_t seed = 99;
  unsigned changes = 0;
  for (uintptr_t i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, exchange, (void *)i) == 0);
  for (unsigned i = 0; i < 2000; i++, changes++) {
    unsigned which = (unsigned)random_below(&seed, 5);
    CHECK(copse_tune_set(names[which], least[which] + random_below(&seed, most[which] - least[which] + 1)) == 0);
    usleep(500);
  }
  atomic_store(&over, true);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  struct live live = {{0}};
  for (unsigned i = 0; i < SHELF; i++)
    if (shelf[i]) live_add(&live, shelf[i]);
  balance(&live);
  for (unsigned i = 0; i < SHELF; i++)
    if (shelf[i]) copse_free(shelf[i], shelf[i][0]);
  balance_empty();
  figure("changes of depth and bound under load", "%u", changes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(trap_1_a_stopped_thread_stops_nobody),
    cmocka_unit_test(trap_6_commit_and_trim_race),
    cmocka_unit_test(trap_10_destructors_may_allocate_and_free_to_the_last_round),
    cmocka_unit_test(trap_15_depth_may_change_at_any_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
