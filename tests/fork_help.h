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

struct heap {
  size_t size;
  volatile unsigned n; /* p[0..n) are live at every instant */
  void *p[3000];
};

static inline void heap_take(struct heap *h, unsigned n) {
  while (n--) {
    void *p = copse_alloc(h->size);
    CHECK(p);
    h->p[h->n] = p;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    h->n = h->n + 1;
  }
}
static inline void heap_give(struct heap *h, unsigned n) {
  CHECK(n <= h->n);
  while (n--) {
    h->n = h->n - 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    copse_free(h->p[h->n], h->size);
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

#endif
