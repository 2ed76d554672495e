/* SPDX-License-Identifier: MIT */
/*
 * Threads that start measuring together and are measured each by itself, so that no barrier is in any figure.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>

static pthread_barrier_t barrier;
static unsigned team_size;
static void (*team_body)(unsigned);
static double team_ns[MAX_THREADS]; /* written by its thread, read after the join */

unsigned cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return 1;
  return (unsigned)CPU_COUNT(&set);
}

static void *member(void *index) {
  team_body((unsigned)(uintptr_t)index);
  return NULL;
}

void team_run(unsigned threads, void (*body)(unsigned index)) {
  pthread_t ids[MAX_THREADS];
  check(threads >= 1 && threads <= MAX_THREADS, "threads= is from 1 to 256");
  team_size = threads;
  team_body = body;
  check(!pthread_barrier_init(&barrier, NULL, threads), "a barrier");
  for (unsigned i = 0; i < threads; i++)
    check(!pthread_create(&ids[i], NULL, member, (void *)(uintptr_t)i), "a thread");
  for (unsigned i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  pthread_barrier_destroy(&barrier);
}

void team_start(void) { pthread_barrier_wait(&barrier); }

void team_finish(unsigned index, const struct timed *t) {
  team_ns[index] = timed_ns_per_op(t);
  pthread_barrier_wait(&barrier);
}

double team_ns_per_op(void) {
  double sum = 0;
  for (unsigned i = 0; i < team_size; i++) sum += team_ns[i];
  double mean = sum / team_size;
  unsigned n = cores();
  return n < team_size ? mean * n / team_size : mean;
}
