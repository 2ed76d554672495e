/* SPDX-License-Identifier: MIT */
/* fork(2) while other threads allocate, free and trim: the child works, at once and for long, with the objects it inherited. */
#include "balance.h"
#include "random.h"
#include "tunables.h"
#include "beneath.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* Slots that a trim detaches at a time, at most. */
enum { DETACHED = (TRIM_BLOCKS + 64) * 64 };
enum { THREADS = 3, FORKS = 40, HELD = 20000, EACH = 3000, BURST = 1000 };
static atomic_bool over, pause_load; /* the load rests while a child is looked at: its first breath is what matters */
static atomic_ulong operations;
static atomic_uint at_work;

struct object {
  size_t size;
  uint64_t seal;
};
static struct object *held[HELD]; /* of the forking thread */

static struct object *make(uint64_t *seed, unsigned i) {
  size_t size = sizeof(struct object) + random_below(seed, (size_t)16 << random_below(seed, i % 100 ? 8 : 15));
  struct object *o = copse_alloc(size);
  CHECK(o);
  *o = (struct object){size, (uintptr_t)o * 3 + size};
  return o;
}

static void destroy(struct object *o) {
  CHECK(o->seal == (uintptr_t)o * 3 + o->size);
  size_t size = o->size;
  o->seal = 0; /* who is handed out twice shows here */
  copse_free(o, size);
}

/* Objects wander between the threads, so that recyclers are busy. */
static _Atomic(struct object *) shelf[EACH];

static void *load(void *argument) {
  uint64_t seed = (uintptr_t)argument + 1;
  atomic_fetch_add(&at_work, 1);
  while (!atomic_load(&over)) {
    for (unsigned i = 0; i < 2000; i++) {
      struct object *o = atomic_exchange(&shelf[random_below(&seed, EACH)], make(&seed, i));
      if (o) destroy(o);
    }
    /* Bursts, for the pools, and a trim now and then. */
    void *burst[BURST];
    CHECK(copse_alloc_batch(40, BURST, burst) == BURST);
    copse_free_batch(40, BURST, burst);
    if (random_below(&seed, 20) == 0) copse_trim();
    if (random_below(&seed, 20) == 0) copse_free(copse_alloc(3 << 20), 3 << 20);
    atomic_fetch_add(&operations, 4000);
    while (atomic_load(&pause_load)) usleep(500);
  }
  return NULL;
}

static void *in_the_child(void *argument) {
  uint64_t seed = (uintptr_t)argument;
  static _Thread_local struct object *mine[EACH];
  for (unsigned i = 0; i < EACH; i++) mine[i] = make(&seed, i);
  for (unsigned i = 0; i < EACH; i++) destroy(mine[i]);
  return NULL;
}

/* What no two may have: the slots of the child's new objects, and those it inherited, all at once. */
static int by_address(const void *a, const void *b) {
  const char *p = *(char *const *)a, *q = *(char *const *)b;
  return (p > q) - (p < q);
}

/* No slot is found twice, and none is missing but those that the other threads had in their hands: a burst, and two objects. */
static void count_all(void) {
  static struct copse_stats stats;
  static struct live live;
  int64_t in_hands = 0;
  for (unsigned i = 0; i < HELD; i++) live_add(&live, held[i]);
  for (unsigned i = 0; i < EACH; i++)
    if (shelf[i]) live_add(&live, shelf[i]);
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    int64_t missing = (int64_t)(64 * c->blocks) - (int64_t)(live.slots[class] + slots_found(c));
    CHECK(missing >= 0 && missing <= THREADS * (class == class_of_size(40) ? BURST + 2 : 2));
    in_hands += missing;
  }
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) CHECK(copse_pool_valid(p));
  CHECK(in_hands <= THREADS * (BURST + 2));
}

static uint64_t child(unsigned k) {
  uint64_t seed = k + 100;
  enum { NEW = 30000 };
  static struct object *all[HELD + NEW];
  alarm(60);
  count_all();
  for (unsigned i = 0; i < HELD; i++) {
    all[i] = held[i];
    CHECK(held[i]->seal == (uintptr_t)held[i] * 3 + held[i]->size);
  }
  for (unsigned i = 0; i < NEW; i++) all[HELD + i] = make(&seed, i);
  static struct object *sorted[HELD + NEW];
  memcpy(sorted, all, sizeof sorted);
  qsort(sorted, HELD + NEW, sizeof *sorted, by_address);
  for (unsigned i = 1; i < HELD + NEW; i++) CHECK((char *)sorted[i - 1] + sorted[i - 1]->size <= (char *)sorted[i]);
  for (unsigned i = 0; i < HELD + NEW; i++) destroy(all[i]);
  copse_free(copse_alloc_zeroed(5 << 20), 5 << 20);
  copse_trim();
  CHECK(copse_trim_pending() == 0);
  /* Threads of its own. */
  pthread_t threads[2];
  for (uintptr_t i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, in_the_child, (void *)(i + k + 1)) == 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  copse_thread_flush();
  struct copse_stats stats;
  copse_stats(&stats);
  uint64_t lost = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    lost += stats.classes[class].lost;
    CHECK(stats.classes[class].detached == 0);
  }
  /* A child of the child. */
  if (k % 10 == 0) {
    pid_t pid = fork();
    if (pid == 0) {
      void *p = copse_alloc(100);
      _exit(p ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  }
  return lost;
}

FRESH(fork_under_load) {
  if (UNDER_TSAN) {
    left_out("threads of a forked child are more than the sanitizer knows");
    return;
  }
  pthread_t threads[THREADS];
  uint64_t seed = 5, most_lost = 0;
  uint64_t *lost_there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(lost_there != MAP_FAILED);
  for (unsigned i = 0; i < HELD; i++) held[i] = make(&seed, i);
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, load, (void *)i) == 0);
  /*
   * AddressSanitizer allocates as a thread starts, and does not hold its allocator's locks over a fork (clang 14): a child that
   * is made meanwhile waits for one when it starts a thread.
   */
  while (UNDER_ASAN && atomic_load(&at_work) < THREADS) usleep(500);
  unsigned forks = LESS(FORKS);
  for (unsigned k = 0; k < forks; k++) {
    usleep((useconds_t)random_below(&seed, 3000));
    /* The forking thread is at work, too. */
    for (unsigned i = 0; i < 500; i++) {
      unsigned at = (unsigned)random_below(&seed, HELD);
      destroy(held[at]);
      held[at] = make(&seed, i);
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      *lost_there = child(k);
      _exit(0);
    }
    atomic_store(&pause_load, true);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status)) fprintf(stderr, "child %u ended by signal %d\n", k, WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atomic_store(&pause_load, false);
    if (*lost_there > most_lost) most_lost = *lost_there;
  }
  atomic_store(&over, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  /* The parent has not lost anything by it. */
  struct live live = {{0}};
  for (unsigned i = 0; i < HELD; i++) live_add(&live, held[i]);
  for (unsigned i = 0; i < EACH; i++)
    if (shelf[i]) live_add(&live, shelf[i]);
  balance(&live);
  /* Of each thread at most what it had in its hands: a bundle, or what a trim had detached. */
  CHECK(most_lost <= THREADS * (DETACHED + 2 * 64));
  figure("forks under load", "%u, while %lu operations went on", forks, operations);
  figure("slots lost to a child, at most", "%llu", (unsigned long long)most_lost);
}

/* One that forks before any thread was, and one in a thread: both go on. */
static void *fork_in_thread(void *unused) {
  void *p = copse_alloc(100);
  pid_t pid = fork();
  if (pid == 0) {
    copse_free(p, 100);
    for (unsigned i = 0; i < 1000; i++) copse_free(copse_alloc(i), i);
    copse_trim();
    struct copse_stats stats;
    copse_stats(&stats);
    _exit(stats.threads == 1 ? 0 : 1);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  copse_free(p, 100);
  return unused;
}

FRESH(fork_in_a_second_thread) {
  if (UNDER_TSAN) {
    left_out("a forked child is more than the sanitizer knows");
    return;
  }
  void *mine[500];
  CHECK(copse_alloc_batch(100, 500, mine) == 500);
  copse_free_batch(100, 500, mine);
  pthread_t thread;
  for (unsigned i = 0; i < 20; i++) {
    CHECK(pthread_create(&thread, NULL, fork_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
  }
  balance_empty();
}

/* With all threads at rest a child finds every slot: what the others had cached, too. */
static pthread_barrier_t barrier;
static void *rest(void *argument) {
  uint64_t seed = (uintptr_t)argument + 7;
  for (unsigned i = 0; i < 3000; i++) {
    struct object *o = make(&seed, i);
    destroy(o);
  }
  void *some[300];
  CHECK(copse_alloc_batch(200, 300, some) == 300);
  copse_free_batch(200, 300, some);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return NULL;
}

FRESH(a_child_finds_what_other_threads_had_cached) {
  pthread_t threads[THREADS];
  copse_free(copse_alloc(1), 1);
  CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, rest, (void *)i) == 0);
  pthread_barrier_wait(&barrier);
  struct copse_stats stats;
  copse_stats(&stats);
  uint64_t cached = stats.classes[class_of_size(200)].cached;
  CHECK(cached > 300 && stats.threads == THREADS + 1);
  if (!UNDER_TSAN) {
    pid_t pid = fork();
    if (pid == 0) {
      balance_empty();
      copse_trim();
      balance_empty();
      copse_stats(&stats);
      uint64_t left = 0, lost = 0;
      for (unsigned class = 0; class < COPSE_CLASSES; class++) {
        left += stats.classes[class].cached;
        lost += stats.classes[class].lost;
      }
      CHECK(left == 0 && lost == 0 && stats.threads == 1);
      _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  }
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  balance_empty();
  figure("slots in the caches of threads that a child does not have", "%llu of 200 bytes, all found",
         (unsigned long long)cached);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(fork_under_load),
    cmocka_unit_test(fork_in_a_second_thread),
    cmocka_unit_test(a_child_finds_what_other_threads_had_cached),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
