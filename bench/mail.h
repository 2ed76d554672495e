/* SPDX-License-Identifier: MIT */
/*
 * Hands objects to a neighbour thread: a mailbox of one parcel a thread.
 *
 * A parcel is owned by one thread at a time: the sender until the exchange into the box, the receiver from its exchange
 * out of the box, who may then send it on.  Nobody waits: where the box is full or no parcel is at hand, the sender
 * keeps its objects.
 */
#ifndef BENCH_MAIL_H
#define BENCH_MAIL_H

#include "alloc.h"
#include "bench.h"

#include <stdatomic.h>

#define PARCEL_ITEMS 256
#define STASH        8

struct parcel {
  unsigned count;
  struct item items[PARCEL_ITEMS];
};

struct mailbox {
  _Alignas(128) _Atomic(struct parcel *) box;
};

/* One thread's end of it. */
struct mail {
  struct mailbox *own, *neighbour;
  struct parcel *stash[STASH];
  unsigned stashed;
};

static inline struct mailbox *mailboxes_new(unsigned threads) {
  return harness_memory(threads * sizeof(struct mailbox));
}

static inline struct mail mail_open(struct mailbox *boxes, unsigned index, unsigned threads) {
  struct mail m = {.own = &boxes[index], .neighbour = &boxes[(index + 1) % threads], .stashed = 2};
  for (unsigned i = 0; i < m.stashed; i++) m.stash[i] = harness_memory(sizeof(struct parcel));
  return m;
}

/* An empty parcel to fill and send, or NULL. */
static inline struct parcel *mail_parcel(struct mail *m) {
  /* relaxed: only a hint that the box is empty; this thread alone fills it */
  if (!m->stashed || atomic_load_explicit(&m->neighbour->box, memory_order_relaxed)) return NULL;
  struct parcel *p = m->stash[--m->stashed];
  p->count = 0;
  return p;
}

static inline void mail_send(struct mail *m, struct parcel *p) {
  /* release: pairs with the acquire in mail_receive; makes the items visible */
  atomic_store_explicit(&m->neighbour->box, p, memory_order_release);
}

/* Frees what came; returns how many objects. */
static inline unsigned mail_receive(struct mail *m) {
  if (!atomic_load_explicit(&m->own->box, memory_order_relaxed)) return 0;
  /* acquire: pairs with the release in mail_send */
  struct parcel *p = atomic_exchange_explicit(&m->own->box, NULL, memory_order_acquire);
  for (unsigned i = 0; i < p->count; i++) bench_free(p->items[i].ptr, p->items[i].size);
  if (m->stashed < STASH) m->stash[m->stashed++] = p;
  return p->count;
}

#endif
