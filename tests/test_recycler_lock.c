/* SPDX-License-Identifier: MIT */
/* A pool's lock is taken where the recycler is full (free) or empty (alloc), and never where it has room, or bundles. */
#include "balance.h"
#include <pthread.h>
#include "beneath.h"

enum { SIZE = 64, DEPTH = 112, CAP = 20, BUNDLES = 60, N = BUNDLES * DEPTH };
static void *object[N];
static unsigned class;

struct figures {
  uint64_t locked, pushes, pops, flushes, refills;
};

static struct figures now(void) {
  static struct copse_stats stats;
  copse_stats(&stats);
  return (struct figures){stats.classes[class].locked, stats.pushes, stats.pops, stats.flushes, stats.refills};
}

static struct figures since(struct figures before) {
  struct figures f = now();
  return (struct figures){f.locked - before.locked, f.pushes - before.pushes, f.pops - before.pops, f.flushes - before.flushes,
                          f.refills - before.refills};
}

/* Allocates what is left in the thread's bundle. */
static void use_up(void) {
  while (cache_of_thread()->hot.top[class][-1]) CHECK(copse_alloc(SIZE));
}

/* All objects live, and the thread's bundle of full depth and empty: from here on every 112 frees fill one. */
static void begin(void) {
  class = class_of_size(SIZE);
  CHECK(copse_tune_set("recycler", CAP) == 0);
  for (unsigned i = 0; i < N; i++) CHECK((object[i] = copse_alloc(SIZE)));
  use_up();
  CHECK(cache_of_thread()->depth[class] == DEPTH && recycler_count(recycler_of(class, cache_of_thread()->arena)) == 0);
}

FRESH(a_full_recycler_takes_the_lock_and_one_with_room_never_does) {
  begin();
  struct figures before = now(), f;
  unsigned freed = 0, calls_of_lock_with_room = 0, count;
  /* The thread keeps a bundle and a spare; each one more goes to the recycler, as long as there is room. */
  while ((count = recycler_count(recycler_of(class, 0))) < CAP) {
    before = now();
    copse_free(object[freed++], SIZE);
    f = since(before);
    calls_of_lock_with_room += (unsigned)f.locked;
    CHECK(f.locked == 0 && f.flushes == 0);
    CHECK(f.pushes == recycler_count(recycler_of(class, 0)) - count);
  }
  CHECK(freed > CAP * DEPTH && freed <= (CAP + 2) * DEPTH + 1);
  /* It is full: each bundle more takes the lock, once. */
  before = now();
  unsigned rest = freed, to = freed + 30 * DEPTH;
  for (; freed < to; freed++) copse_free(object[freed], SIZE);
  f = since(before);
  CHECK(f.pushes == 0 && f.flushes == 30 && f.locked == 30);
  figure("lock taken: frees into a recycler with room", "%u in %u frees, %u bundles handed on", calls_of_lock_with_room, rest, CAP);
  figure("lock taken: frees beyond a full recycler", "%llu in %d frees", (unsigned long long)f.locked, 30 * DEPTH);
  uint64_t locked_full = f.locked;

  /* And back: as long as it has bundles no allocation takes the lock, and from there each refill does, once. */
  before = now();
  unsigned taken = 0;
  while (recycler_count(recycler_of(class, 0)) > 0) {
    CHECK((object[taken++] = copse_alloc(SIZE)));
    CHECK(since(before).locked == 0);
  }
  f = since(before);
  CHECK(f.locked == 0 && f.refills == 0 && f.pops == CAP);
  figure("lock taken: allocations from a recycler that has bundles", "%llu in %u allocations", (unsigned long long)f.locked, taken);
  use_up();
  before = now();
  unsigned empty_from = taken;
  for (unsigned i = 0; i < 10 * DEPTH; i++) CHECK((object[taken++] = copse_alloc(SIZE)));
  f = since(before);
  CHECK(f.refills == (10 * DEPTH + 63) / 64 && f.locked == f.refills); /* a block's worth each */
  figure("lock taken: allocations from an empty one", "%llu in %u allocations", (unsigned long long)f.locked, taken - empty_from);
  CHECK(locked_full > 0);
}

/* Between threads as within one: what one frees another allocates without the lock. */
static pthread_barrier_t barrier;
static uint64_t locked_by_taker;

static void *taker(void *unused) {
  begin();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  struct figures before = now();
  for (unsigned i = 0; i < CAP * DEPTH; i++) CHECK(copse_alloc(SIZE));
  locked_by_taker = since(before).locked;
  pthread_barrier_wait(&barrier);
  return unused;
}

FRESH(bundles_pass_between_threads_without_the_lock) {
  pthread_t thread;
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  CHECK(pthread_create(&thread, NULL, taker, NULL) == 0);
  copse_free(copse_alloc(1), 1); /* or its first frees would go to the pool (FREES_DIRECT) */
  pthread_barrier_wait(&barrier);
  struct figures before = now();
  const struct recycler *home = &copse_recyclers[region_of(object[0])];
  for (unsigned i = 0; recycler_count(home) < CAP; i++) copse_free(object[i], SIZE);
  CHECK(since(before).locked == 0);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  CHECK(locked_by_taker == 0);
  figure("lock taken to pass objects to another thread", "%llu in %d", (unsigned long long)locked_by_taker, CAP * DEPTH);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_full_recycler_takes_the_lock_and_one_with_room_never_does),
    cmocka_unit_test(bundles_pass_between_threads_without_the_lock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
