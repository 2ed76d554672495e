/* SPDX-License-Identifier: MIT */
/* copse_alloc_batch and copse_free_batch are what as many single calls are: over bundles' ends, classes, arenas, and refusals. */
#include "balance.h"
#include "random.h"
#include "tunables.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

enum { MANY = 1000 };

static void fill(void *p, size_t size, unsigned tag) { memset(p, (int)(tag % 251), size); }
static void look(const void *p, size_t size, unsigned tag) {
  const unsigned char *bytes = p;
  for (size_t i = 0; i < size; i++) CHECK(bytes[i] == tag % 251);
}

/* Each number of objects around the ends of a bundle, from a cache in any state, and the array beyond them is left alone. */
FRESH(every_number_of_objects) {
  static void *p[MANY + 1];
  const size_t sizes[] = {0, 1, 16, 64, 1000, 1024, 1500, 8000, 100000};
  uint64_t seed = 1;
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    size_t size = sizes[s];
    for (unsigned n = 0; n <= (size < 2000 ? 140 : 20); n++) {
      p[n] = p;
      CHECK(copse_alloc_batch(size, n, p) == n && p[n] == p);
      for (unsigned i = 0; i < n; i++) fill(p[i], size, i + n);
      for (unsigned i = 0; i < n; i++) look(p[i], size, i + n);
      /* Some by themselves, so that the next run begins anywhere in a bundle. */
      unsigned alone = n ? (unsigned)random_below(&seed, n) : 0;
      for (unsigned i = 0; i < alone; i++) copse_free(p[i], size);
      copse_free_batch(size, n - alone, p + alone);
    }
  }
  struct live none = {{0}};
  balance(&none);
}

FRESH(spans) {
  void *p[5];
  CHECK(copse_alloc_batch(3 << 20, 5, p) == 5);
  for (unsigned i = 0; i < 5; i++) fill(p[i], 3 << 20, i);
  for (unsigned i = 0; i < 5; i++) look(p[i], 3 << 20, i);
  copse_free_batch(3 << 20, 5, p);
}

/* A thread's first call, and its first free. */
static void *first_call(void *unused) {
  (void)unused;
  void **p = copse_alloc(100 * sizeof *p);
  CHECK(copse_alloc_batch(48, 100, p) == 100);
  return p;
}
static void *first_free(void *p) {
  copse_free_batch(48, 100, p);
  copse_free(p, 100 * sizeof(void *));
  return NULL;
}

FRESH(first_of_a_thread) {
  for (unsigned i = 0; i < 20; i++) {
    pthread_t one, other;
    void *p = NULL;
    CHECK(pthread_create(&one, NULL, first_call, NULL) == 0 && pthread_join(one, &p) == 0);
    CHECK(pthread_create(&other, NULL, first_free, p) == 0 && pthread_join(other, NULL) == 0);
  }
  struct live none = {{0}};
  balance(&none);
}

FRESH(first_of_the_process) {
  void *p[3];
  CHECK(copse_alloc_batch(16, 3, p) == 3);
  copse_free_batch(16, 3, p);
}

/* What is freed together may be of several threads, and so of several arenas. */
struct share {
  void *object[MANY];
};
static void *allocate_share(void *argument) {
  struct share *share = argument;
  CHECK(copse_alloc_batch(112, MANY, share->object) == MANY);
  return NULL;
}

FRESH(of_several_threads) {
  enum { THREADS = 3 };
  static struct share share[THREADS];
  static void *all[THREADS * MANY];
  struct live live = {{0}};
  for (unsigned t = 0; t < THREADS; t++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, allocate_share, &share[t]) == 0 && pthread_join(thread, NULL) == 0);
  }
  for (unsigned i = 0; i < THREADS * MANY; i++) live_add(&live, all[i] = share[i % THREADS].object[i / THREADS]);
  balance(&live);
  /* One of each in turn, then in runs of growing length. */
  uint64_t seed = 3;
  copse_free_batch(112, MANY, all);
  for (unsigned at = MANY; at < THREADS * MANY;) {
    unsigned n = (unsigned)random_below(&seed, 100) + 1;
    if (n > THREADS * MANY - at) n = THREADS * MANY - at;
    copse_free_batch(112, n, all + at);
    at += n;
  }
  live = (struct live){{0}};
  balance(&live);
}

/* Out of memory on the way: what there was is there, and the rest of the array is as it was. */
FRESH(out_of_memory) {
  if (UNDER_SANITIZER) {
    left_out("the limit would be the tool's own");
    return;
  }
  enum { FEW = 4000 };
  static void *p[FEW];
  const size_t size = 64 << 10;
  CHECK(copse_alloc_batch(size, 1, p) == 1);
  copse_free_batch(size, 1, p);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_DATA, &limit) == 0);
  limit.rlim_cur = (rlim_t)100 << 20;
  CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
  for (unsigned i = 0; i < FEW; i++) p[i] = p;
  errno = 0;
  size_t n = copse_alloc_batch(size, FEW, p);
  CHECK(n > 100 && n < FEW && errno == ENOMEM);
  for (size_t i = 0; i < n; i++) fill(p[i], size, (unsigned)i);
  for (size_t i = 0; i < n; i++) look(p[i], size, (unsigned)i);
  for (size_t i = n; i < FEW; i++) CHECK(p[i] == p);
  copse_free_batch(size, n, p);
  CHECK(copse_alloc_batch(size, n / 2, p) == n / 2);
  copse_free_batch(size, n / 2, p);
  struct live none = {{0}};
  balance(&none);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_number_of_objects), cmocka_unit_test(spans),
      cmocka_unit_test(first_of_a_thread),       cmocka_unit_test(first_of_the_process),
      cmocka_unit_test(of_several_threads),      cmocka_unit_test(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
