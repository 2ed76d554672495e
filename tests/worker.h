/* SPDX-License-Identifier: MIT */
/*
 * A thread that does what it is told and then waits: a thread that is at rest, or blocked, when a test wants it to be.
 * worker_do returns when the work is done; worker_begin at once, and worker_wait waits for it.
 */
#ifndef COPSE_TESTS_WORKER_H
#define COPSE_TESTS_WORKER_H

#include "process.h"
#include <pthread.h>

struct worker {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  void (*work)(void *);
  void *argument;
  int busy, ending;
};

static inline void *worker_run(void *argument) {
  struct worker *w = argument;
  pthread_mutex_lock(&w->mutex);
  for (;;) {
    while (!w->busy && !w->ending) pthread_cond_wait(&w->changed, &w->mutex);
    if (!w->busy) break;
    pthread_mutex_unlock(&w->mutex);
    w->work(w->argument);
    pthread_mutex_lock(&w->mutex);
    w->busy = 0;
    pthread_cond_broadcast(&w->changed);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

static inline void worker_start(struct worker *w) {
  *w = (struct worker){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  CHECK(pthread_create(&w->thread, NULL, worker_run, w) == 0);
}

static inline void worker_begin(struct worker *w, void (*work)(void *), void *argument) {
  pthread_mutex_lock(&w->mutex);
  CHECK(!w->busy);
  w->work = work;
  w->argument = argument;
  w->busy = 1;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
}

static inline void worker_wait(struct worker *w) {
  pthread_mutex_lock(&w->mutex);
  while (w->busy) pthread_cond_wait(&w->changed, &w->mutex);
  pthread_mutex_unlock(&w->mutex);
}

static inline void worker_do(struct worker *w, void (*work)(void *), void *argument) {
  worker_begin(w, work, argument);
  worker_wait(w);
}

static inline void worker_end(struct worker *w) {
  pthread_mutex_lock(&w->mutex);
  w->ending = 1;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  pthread_join(w->thread, NULL);
}

#endif
