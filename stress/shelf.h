/* SPDX-License-Identifier: MIT */
/* Places for objects that any thread may put one in and take what was there, and a queue of them: so they wander between threads. */
#ifndef COPSE_STRESS_SHELF_H
#define COPSE_STRESS_SHELF_H

#include "stress.h"
#include <pthread.h>

enum { SHELF = 1024, SHELF_LOCKS = 16 };
struct shelf {
  pthread_mutex_t lock[SHELF_LOCKS];
  struct object place[SHELF];
};
#define SHELF_LOCK_ PTHREAD_MUTEX_INITIALIZER
#define SHELF_LOCKS_4_ SHELF_LOCK_, SHELF_LOCK_, SHELF_LOCK_, SHELF_LOCK_
#define SHELF_INITIALIZER {{SHELF_LOCKS_4_, SHELF_LOCKS_4_, SHELF_LOCKS_4_, SHELF_LOCKS_4_}, {{NULL, 0, 0}}}

/* Puts `o` in place `i`; what was there comes out. */
static inline struct object shelf_swap(struct shelf *s, unsigned i, struct object o) {
  pthread_mutex_lock(&s->lock[i % SHELF_LOCKS]);
  struct object there = s->place[i];
  s->place[i] = o;
  pthread_mutex_unlock(&s->lock[i % SHELF_LOCKS]);
  return there;
}

/* All that is left is freed; by one thread. */
static inline void shelf_clear(struct shelf *s, struct hand *hand) {
  for (unsigned i = 0; i < SHELF; i++) object_free(hand, &s->place[i]);
}

/* ---- a queue of batches ---- */

enum { BATCH = 64, QUEUE = 8 };
struct batch {
  unsigned n;
  bool alike; /* all of one size, made at once */
  struct object object[BATCH];
};
struct queue {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned first, n;
  bool closed;
  struct batch batch[QUEUE];
};
#define QUEUE_INITIALIZER {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

/* Waits while it is full. */
static inline void queue_put(struct queue *q, const struct batch *b) {
  pthread_mutex_lock(&q->lock);
  while (q->n == QUEUE) pthread_cond_wait(&q->changed, &q->lock);
  q->batch[(q->first + q->n++) % QUEUE] = *b;
  pthread_cond_broadcast(&q->changed);
  pthread_mutex_unlock(&q->lock);
}

/* Waits while it is empty.  false: it is closed, and empty. */
static inline bool queue_get(struct queue *q, struct batch *b) {
  pthread_mutex_lock(&q->lock);
  while (!q->n && !q->closed) pthread_cond_wait(&q->changed, &q->lock);
  bool any = q->n;
  if (any) {
    *b = q->batch[q->first];
    q->first = (q->first + 1) % QUEUE;
    q->n--;
  }
  pthread_cond_broadcast(&q->changed);
  pthread_mutex_unlock(&q->lock);
  return any;
}

/* Nothing more is put in. */
static inline void queue_close(struct queue *q) {
  pthread_mutex_lock(&q->lock);
  q->closed = true;
  pthread_cond_broadcast(&q->changed);
  pthread_mutex_unlock(&q->lock);
}

/* For the next round. */
static inline void queue_open(struct queue *q) { q->closed = false; }

/* A batch of objects; every fourth is made, and freed, at once. */
static inline void batch_make(struct hand *hand, struct batch *b, unsigned n, size_t most) {
  b->alike = random_below(&hand->random, 4) == 0;
  if (b->alike) b->n = object_make_batch(hand, random_size(&hand->random, most), n, b->object);
  else
    for (b->n = 0; b->n < n; b->n++) object_make(hand, random_size(&hand->random, most), &b->object[b->n]);
}
static inline void batch_free(struct hand *hand, struct batch *b) {
  if (b->alike) object_free_batch(hand, b->n, b->object);
  else
    for (unsigned i = 0; i < b->n; i++) object_free(hand, &b->object[i]);
  b->n = 0;
}

#endif
