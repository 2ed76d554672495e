/* SPDX-License-Identifier: MIT */
/*
 * Fibers that move between threads in the middle of a loop whose hot path is inlined.  A compiler that kept the address of a
 * thread-local variable over the switch would let two threads work on one cache.
 */
#include "balance.h"
#include "copse-inline.h"
#include "random.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <ucontext.h>

enum { THREADS = 3, FIBERS = 12, SLOTS = 40, HOPS = 10000, STACK = 64 << 10 };

struct fiber {
  ucontext_t context, *back; /* where to go when it yields: whichever thread runs it now */
  uint64_t seed, hops, moves;
  pthread_t last;
  bool done;
  struct fiber *next;
  char stack[STACK] __attribute__((aligned(16)));
};

static struct fiber fibers[FIBERS];
static struct fiber *ready;
static unsigned left = FIBERS;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Opaque, as a library of fibers is. */
__attribute__((noinline)) static void yield(struct fiber *f) { swapcontext(&f->context, f->back); }

/* One loop of inlined calls with switches between: the constant sizes make it all one function. */
static void run(struct fiber *f) {
  uint32_t *held[SLOTS] = {0};
  for (unsigned hop = 0; hop < LESS(HOPS); hop++) {
    unsigned at = (unsigned)random_below(&f->seed, SLOTS);
    if (held[at]) {
      CHECK(*held[at] == (uint32_t)(uintptr_t)held[at]);
      *held[at] = 0;
      at & 1 ? copse_inline_free(held[at], 64) : copse_inline_free_unsized(held[at]);
      yield(f);
    }
    held[at] = copse_inline_alloc(64);
    CHECK(held[at]);
    *held[at] = (uint32_t)(uintptr_t)held[at];
    yield(f);
    /* And a pair on both sides of a switch, without a branch between. */
    void *p = copse_inline_alloc(48);
    CHECK(p);
    yield(f);
    copse_inline_free(p, 48);
    f->hops++;
  }
  for (unsigned at = 0; at < SLOTS; at++)
    if (held[at]) copse_inline_free(held[at], 64);
  f->done = true;
  yield(f);
}

static void enter(unsigned low, unsigned high) { run((struct fiber *)((uintptr_t)high << 32 | low)); }

static void *work(void *unused) {
  ucontext_t here;
  for (;;) {
    pthread_mutex_lock(&mutex);
    /* The first that another thread ran last: each switch is a move. */
    struct fiber **at = &ready;
    while (*at && pthread_equal((*at)->last, pthread_self())) at = &(*at)->next;
    struct fiber *f = *at;
    if (f) *at = f->next;
    unsigned more = left;
    pthread_mutex_unlock(&mutex);
    if (!more) break;
    if (!f) {
      sched_yield();
      continue;
    }
    f->moves++;
    f->last = pthread_self();
    f->back = &here;
    swapcontext(&here, &f->context);
    pthread_mutex_lock(&mutex);
    if (f->done) {
      left--;
    } else { /* last in line, so that they go around */
      struct fiber **end = &ready;
      while (*end) end = &(*end)->next;
      f->next = NULL;
      *end = f;
    }
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

static void prepare(struct fiber *f, unsigned seed) {
  CHECK(getcontext(&f->context) == 0);
  f->context.uc_stack.ss_sp = f->stack;
  f->context.uc_stack.ss_size = STACK;
  f->context.uc_link = NULL; /* it never returns: its last yield is not resumed */
  f->seed = seed;
  f->next = ready;
  ready = f;
  makecontext(&f->context, (void (*)(void))enter, 2, (unsigned)(uintptr_t)f, (unsigned)((uintptr_t)f >> 32));
}

FRESH(fibers_move_between_threads) {
  if (UNDER_SANITIZER) {
    left_out("sanitizers do not know this switch of stacks");
    return;
  }
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < FIBERS; i++) prepare(&fibers[i], i + 1);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  uint64_t hops = 0, moves = 0;
  for (unsigned i = 0; i < FIBERS; i++) {
    hops += fibers[i].hops;
    moves += fibers[i].moves;
  }
  CHECK(moves > hops);
  balance_empty();
  figure("rounds of fibers, and moves between threads", "%llu, %llu", (unsigned long long)hops, (unsigned long long)moves);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(fibers_move_between_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
