/* SPDX-License-Identifier: MIT */
#include "crew.h"
#include "expect.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

static struct member {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  void (*work)(void *); /* NULL: done */
  void *argument;
  bool exists;
} crew[CREW];

static void *serve(void *of) {
  struct member *m = of;
  pthread_mutex_lock(&m->mutex);
  for (;;) {
    while (!m->work) pthread_cond_wait(&m->changed, &m->mutex);
    m->work(m->argument);
    m->work = NULL;
    pthread_cond_broadcast(&m->changed);
  }
  return NULL;
}

static void begin(unsigned which, void (*work)(void *), void *argument) {
  struct member *m = &crew[which];
  pthread_t thread;
  if (!m->exists) {
    pthread_mutex_init(&m->mutex, NULL);
    pthread_cond_init(&m->changed, NULL);
    m->exists = true;
    expect(pthread_create(&thread, NULL, serve, m) == 0);
    pthread_detach(thread);
  }
  pthread_mutex_lock(&m->mutex);
  m->argument = argument;
  m->work = work;
  pthread_cond_broadcast(&m->changed);
  pthread_mutex_unlock(&m->mutex);
}

static void wait_for(unsigned which) {
  struct member *m = &crew[which];
  pthread_mutex_lock(&m->mutex);
  while (m->work) pthread_cond_wait(&m->changed, &m->mutex);
  pthread_mutex_unlock(&m->mutex);
}

void crew_do(unsigned which, void (*work)(void *), void *argument) {
  begin(which, work, argument);
  wait_for(which);
}

void crew_do_all(void (*work)(void *), void *arguments[CREW]) {
  for (unsigned i = 0; i < CREW; i++) begin(i, work, arguments[i]);
  for (unsigned i = 0; i < CREW; i++) wait_for(i);
}
