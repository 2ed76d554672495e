/* SPDX-License-Identifier: MIT */
/*
 * After Lever and Boreham, "malloc() performance in a multithreaded Linux environment", in the form known as xmalloc:
 * `threads` threads allocate batches and as many free them; batches go through one list under a mutex.  The batch
 * itself is an object too.  The figure is elapsed time by object.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <pthread.h>
#include <stdatomic.h>

#define BATCH             4096
#define WAITING_BY_THREAD 4 /* batches on the list, at most */

struct batch {
  struct batch *next;
  struct item items[BATCH];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
/* under the lock */
static struct batch *list;
static unsigned waiting, producers;

static size_t least, most;
static uint64_t ms;
static unsigned threads;
static uint64_t freed[MAX_THREADS], ends[MAX_THREADS], starts[MAX_THREADS]; /* by its thread, read after the join */

static struct batch *filled(struct random *r) {
  struct batch *b = bench_alloc(sizeof *b);
  for (unsigned i = 0; i < BATCH; i++) {
    size_t size = least == most ? least : random_between(r, least, most);
    stamp(b->items[i].ptr = bench_alloc(size), size);
    b->items[i].size = size;
  }
  return b;
}

static void put(struct batch *b) {
  pthread_mutex_lock(&lock);
  while (waiting == WAITING_BY_THREAD * threads) pthread_cond_wait(&not_full, &lock);
  b->next = list;
  list = b;
  waiting++;
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&lock);
}

/* NULL when nothing will come any more. */
static struct batch *get(void) {
  pthread_mutex_lock(&lock);
  while (!list && producers) pthread_cond_wait(&not_empty, &lock);
  struct batch *b = list;
  if (b) {
    list = b->next;
    waiting--;
    pthread_cond_signal(&not_full);
  }
  pthread_mutex_unlock(&lock);
  return b;
}

static void produce(unsigned index) {
  struct random r = random_seeded(500 + index);
  struct timed t = timed_start(ms);
  starts[index] = t.start;
  do put(filled(&r));
  while (timed_more(&t, BATCH));
  pthread_mutex_lock(&lock);
  if (!--producers) pthread_cond_broadcast(&not_empty);
  pthread_mutex_unlock(&lock);
}

static void consume(unsigned index) {
  for (struct batch *b; (b = get());) {
    for (unsigned i = 0; i < BATCH; i++) {
      if (stamp_of(b->items[i].ptr) != b->items[i].size) check(false, "what a producer wrote");
      bench_free(b->items[i].ptr, b->items[i].size);
    }
    bench_free(b, sizeof *b);
    freed[index] += BATCH;
  }
  ends[index] = now_ns();
}

static void body(unsigned index) {
  team_start();
  if (index < threads)
    produce(index);
  else
    consume(index - threads);
}

void w_xmalloc(void) {
  least = option("least", 64);
  most = option("most", least);
  ms = option("ms", 300);
  threads = (unsigned)option("threads", 1);
  check(threads >= 1 && 2 * threads <= MAX_THREADS, "threads= is from 1 to 128");
  producers = threads;
  team_run(2 * threads, body);
  uint64_t start = starts[0], end = 0, objects = 0;
  for (unsigned i = 0; i < threads; i++) {
    if (starts[i] < start) start = starts[i];
    if (ends[i] > end) end = ends[i];
    objects += freed[i];
  }
  result("object", "ns", (double)(end - start) / (double)objects);
}
