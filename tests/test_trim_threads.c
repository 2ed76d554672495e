/* SPDX-License-Identifier: MIT */
/* A trim with three other threads: they follow by checkpoints alone, and then the memory is back. */
#include "balance.h"
#include "random.h"
#include "resident.h"
#include "beneath.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 3, OBJECTS = 60000, MARGIN = 4 << 20 };
static void *object[THREADS][OBJECTS];
static uint32_t size_of[THREADS][OBJECTS];
static pthread_barrier_t barrier;
static atomic_bool may_follow[THREADS], over;
static atomic_uint checkpoints;

static void *worker(void *argument) {
  unsigned thread = (unsigned)(uintptr_t)argument, other = (thread + 1) % THREADS;
  uint64_t seed = thread + 1;
  for (unsigned i = 0; i < OBJECTS; i++) {
    uint32_t size = 16 + (uint32_t)random_below(&seed, (size_t)32 << random_below(&seed, i % 100 ? 7 : 12));
    CHECK((object[thread][i] = copse_alloc(size)));
    memset(object[thread][i], 1, size);
    size_of[thread][i] = size;
  }
  pthread_barrier_wait(&barrier);
  for (unsigned i = 0; i < OBJECTS; i++) copse_free(object[other][i], size_of[other][i]); /* all are another thread's */
  pthread_barrier_wait(&barrier);
  /* At rest: no allocation from here on. */
  while (!atomic_load(&over)) {
    usleep(200);
    if (!atomic_load(&may_follow[thread])) continue;
    copse_checkpoint();
    atomic_fetch_add(&checkpoints, 1);
  }
  return NULL;
}

FRESH(pending_falls_to_zero_by_checkpoints_alone) {
  pthread_t threads[THREADS];
  copse_free(copse_alloc(16), 16);
  CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
  memset(size_of, 0, sizeof size_of); /* the test's own memory is part of the base */
  for (unsigned i = 0; i < THREADS; i++) memset(object[i], 0, sizeof object[i]);
  size_t base = resident();
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, worker, (void *)i) == 0);
  pthread_barrier_wait(&barrier);
  size_t peak = resident();
  pthread_barrier_wait(&barrier);
  size_t freed = resident();

  CHECK(copse_trim_pending() == 0);
  copse_trim();
  size_t pending[THREADS + 1];
  struct copse_stats stats;
  for (unsigned i = 0; i < THREADS; i++) {
    usleep(20000);
    pending[i] = copse_trim_pending();
    CHECK(pending[i] == THREADS - i); /* whoever makes no checkpoint stays behind, and holds nobody up */
    atomic_store(&may_follow[i], true);
    for (unsigned wait = 0; wait < 20000 && copse_trim_pending() == pending[i]; wait++) usleep(500);
  }
  pending[THREADS] = copse_trim_pending();
  CHECK(pending[THREADS] == 0);
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) CHECK(stats.classes[class].cached == 0);
  copse_trim();
  size_t after = resident();
  balance_empty();
  atomic_store(&over, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  figure("pending after the trim, checkpoint by checkpoint", "%zu %zu %zu %zu (%u checkpoints made)", pending[0], pending[1],
         pending[2], pending[3], checkpoints);
  figure("resident: base, peak, all freed, after the trim", "%zu, %zu, %zu, %zu KB", base >> 10, peak >> 10, freed >> 10,
         after >> 10);
  if (!UNDER_SANITIZER) {
    CHECK(peak > base + (20 << 20));
    CHECK(after <= base + MARGIN);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pending_falls_to_zero_by_checkpoints_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
