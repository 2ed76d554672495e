/* SPDX-License-Identifier: MIT */
/* What the tests of fork share: a child that works, and objects that are known to be live at every instant. */
#ifndef COPSE_TESTS_FORK_HELP_H
#define COPSE_TESTS_FORK_HELP_H

#include "balance.h"
#include "copse-inline.h"
#include "recycler.h"
#include "start.h"
#include "tunables.h"
#include "vm_faults.h"
#include "worker.h"
#include <string.h>
#include "beneath.h"
#include <sys/mman.h>

#define MB ((size_t)1 << 20)

static inline struct cache *mine(void) { return cache_of_thread(); }

/*
 * What copse(7) asks of a program that forks: a child ends by SIGBUS where it writes to an explicit huge page and none is left to copy it
 * to.  Other tests set some aside for a moment.
 */
static inline void this_program_forks(void) { CHECK(copse_tune_set("huge", 1) == 0); }

/* Forks; the child does `work` and ends; its status must be 0. */
static inline void in_child(void (*work)(void)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(60);
    work();
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (status) fprintf(stderr, "the child ended with status %#x\n", (unsigned)status);
  CHECK(status == 0);
}

/* p[0..n) are live at every instant.  n changes by one store, and `asks` with it: while that is set the thread is inside an
 * allocation or a free, of one object that is not counted here and may be live. */
struct heap {
  size_t size;
  union {
    struct {
      u32 n, asks;
    };
    u64 word;
  };
  void *p[3000];
};

static inline void heap_note(struct heap *h, u32 n, u32 asks) {
  struct heap now = {.n = n, .asks = asks};
  /* release: pairs with nothing, but a child of fork finds what was written before. */
  store_release(&h->word, now.word);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void heap_take(struct heap *h, unsigned n) {
  while (n--) {
    heap_note(h, h->n, 1);
    void *p = copse_alloc(h->size);
    CHECK(p);
    h->p[h->n] = p;
    heap_note(h, h->n + 1, 0);
  }
}
static inline void heap_give(struct heap *h, unsigned n) {
  CHECK(n <= h->n);
  while (n--) {
    heap_note(h, h->n - 1, 1);
    copse_free(h->p[h->n], h->size);
    heap_note(h, h->n, 0);
  }
}
static inline void live_of(struct live *live, const struct heap *h) {
  for (unsigned i = 0; i < h->n; i++) live_add(live, h->p[i]);
}

static struct heap heap __attribute__((unused)) = {.size = 200};

/* Every class, a span, a trim: all of it works. */
static inline void use_all(void) {
  void *p[COPSE_CLASSES][3];
  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (unsigned i = 0; i < 3; i++) {
      CHECK((p[class][i] = copse_alloc(class_size(class))));
      memset(p[class][i], 1, class_size(class));
    }
  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (unsigned i = 0; i < 3; i++) copse_free(p[class][i], class_size(class));
  void *span = copse_alloc(5 * MB);
  CHECK(span);
  memset(span, 1, 5 * MB);
  copse_free(span, 5 * MB);
  copse_trim();
  copse_checkpoint();
}

/* What lives in `heap` is all there is, before and after everything was used; and then nothing. */
static inline void check_and_use(void) {
  struct live live = {0};
  live_of(&live, &heap);
  balance(&live);
  use_all();
  balance(&live);
  heap_give(&heap, heap.n);
  balance_empty();
}

/* Leaves bundles in the caches of the thread that does it, and 500 objects live. */
static inline void take_and_give(void *argument) {
  struct heap *h = argument;
  heap_take(h, 3000);
  heap_give(h, 2500);
  CHECK(copse_cache_holds(mine()));
}

static struct heap others[3] __attribute__((unused)) = {{.size = 200}, {.size = 48}, {.size = 6000}};

#endif
