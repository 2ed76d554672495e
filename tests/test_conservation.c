/* SPDX-License-Identifier: MIT */
/*
 * A million objects go through four threads, each allocated in one and most freed in another, again and again; each time,
 * for every pool, live + cached + free + detached + uncommitted = 64 x blocks.
 * `live` is this test's own count of what it holds, by the class of the size that it asked for; `cached` is what lies in the
 * threads' bundles and in recyclers, `free` the ones in the blocks' words.
 * Ten times; a hundred with COPSE_TEST_LONG in the environment or "long" as the argument (make check-long).
 */
#include "balance.h"
#include "random.h"
#include <pthread.h>
#include <string.h>

enum { THREADS = 4, SHARE = 250000, KEPT = 30000, SIZES_MAX = 1024 };
static unsigned rounds = 10;

struct object {
  uint32_t size, owner; /* 8 bytes: every slot has room for them */
};

static struct object *mailbox[THREADS][SHARE]; /* of each thread, what the next one frees */
static struct object *kept[THREADS][KEPT];     /* of each thread, what it keeps to a later round */
static unsigned round_now;
static pthread_barrier_t barrier;
static uint64_t live[THREADS][COPSE_CLASSES];  /* what each has allocated, less what it has freed: may wrap around */

static struct object *get(unsigned thread, uint64_t *seed) {
  /* Mostly small, as a program's are; every class comes by. */
  size_t size = 8 + random_below(seed, random_below(seed, 64) ? (size_t)16 << random_below(seed, 7) : SIZES_MAX);
  if (random_below(seed, 20000) == 0) size = random_below(seed, COPSE_CLASS_SIZE_MAX) + 8;
  struct object *o = copse_alloc(size);
  CHECK(o);
  *o = (struct object){(uint32_t)size, thread};
  live[thread][class_of_request(size)]++;
  return o;
}

static void put(unsigned thread, struct object *o) {
  size_t size = o->size;
  CHECK(o->owner < THREADS && size >= 8);
  o->owner = ~0u; /* a slot that is handed out twice shows here */
  live[thread][class_of_request(size)]--;
  size & 1 ? copse_free(o, size) : copse_free_unsized(o);
}

static void one_round(unsigned thread, uint64_t *seed) {
  for (unsigned i = 0; i < LESS(SHARE); i++) mailbox[thread][i] = get(thread, seed);
  for (unsigned i = 0; i < KEPT; i++)
    if (random_below(seed, 4) == 0) {
      if (kept[thread][i]) put(thread, kept[thread][i]);
      kept[thread][i] = get(thread, seed);
    }
  pthread_barrier_wait(&barrier);
  unsigned from = (thread + 1 + round_now % (THREADS - 1)) % THREADS;
  if (random_below(seed, 2)) random_order(seed, LESS(SHARE), (void **)mailbox[from]);
  for (unsigned i = 0; i < LESS(SHARE); i++) put(thread, mailbox[from][i]);
  if (random_below(seed, 4) == 0) copse_trim();
  if (random_below(seed, 4) == 0) copse_checkpoint();
}

static void *worker(void *argument) {
  unsigned thread = (unsigned)(uintptr_t)argument;
  uint64_t seed = thread + 1;
  for (;;) {
    pthread_barrier_wait(&barrier);
    if (round_now == rounds) break;
    one_round(thread, &seed);
    pthread_barrier_wait(&barrier); /* at rest: the first thread counts */
  }
  for (unsigned i = 0; i < KEPT; i++)
    if (kept[thread][i]) put(thread, kept[thread][i]);
  return NULL;
}

static void total(struct live *sum) {
  memset(sum, 0, sizeof *sum);
  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (unsigned thread = 0; thread < THREADS; thread++) sum->slots[class] += live[thread][class];
}

FRESH(slots_are_conserved) {
  pthread_t threads[THREADS];
  struct live sum;
  uint64_t slots = 0, most_cached = 0, uncommitted = 0;
  CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, worker, (void *)i) == 0);
  for (; round_now < rounds; round_now++) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    total(&sum);
    slots = balance(&sum);
    static struct copse_stats stats;
    copse_stats(&stats);
    uint64_t cached = 0;
    for (unsigned class = 0; class < COPSE_CLASSES; class++) {
      cached += stats.classes[class].cached;
      uncommitted += stats.classes[class].uncommitted;
      CHECK(stats.classes[class].lost == 0 && stats.classes[class].detached == 0);
    }
    if (cached > most_cached) most_cached = cached;
  }
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  total(&sum);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) CHECK(sum.slots[class] == 0);
  balance_empty();
  CHECK(most_cached > 0 && uncommitted > 0);
  figure("rounds of a million objects after which all pools balanced", "%u of %u", round_now, rounds);
  figure("slots that exist at the end", "%llu; most in caches %llu", (unsigned long long)slots, (unsigned long long)most_cached);
}

int main(int argc, char **argv) {
  const char *wish = getenv("COPSE_TEST_LONG");
  if ((wish && *wish && strcmp(wish, "0") != 0) || (argc > 1 && strcmp(argv[1], "long") == 0))
    rounds = 100;
  else
    printf("# %u rounds; 100 with COPSE_TEST_LONG=1\n", rounds);
  const struct CMUnitTest tests[] = {cmocka_unit_test(slots_are_conserved)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
