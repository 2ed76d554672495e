/* SPDX-License-Identifier: MIT */
/*
 * The recycler alone: threads push and pop the same few bundles on one stack, with room for none, one, some, and all of them.  Each
 * bundle is always somebody's, or in the stack once.
 */
#include "shelf.h"
#include "recycler.h"

enum { THREADS = 8, BUNDLES = 24, STEPS = 30000 };
static struct recycler recycler;
static struct bundle bundle[BUNDLES] __attribute__((aligned(BUNDLE_BYTES)));
static uint32_t owner[BUNDLES]; /* a thread's number; 0: the stack's */
static unsigned cap;
static uint64_t popped, pushed, refused;

static void pop(struct hand *hand, struct bundle **mine, unsigned *n) {
  struct bundle *b = copse_recycler_pop_mpmc(&recycler);
  uint32_t nobody = 0;
  if (!b) return;
  require(b >= bundle && b < bundle + BUNDLES);
  /* Handed out twice otherwise.  acquire, release: each is its own lock. */
  require(__atomic_compare_exchange_n(&owner[b - bundle], &nobody, hand->number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
  mine[(*n)++] = b;
  hand->made++;
}

static void push(struct hand *hand, struct bundle **mine, unsigned *n) {
  struct bundle *b = mine[*n - 1];
  uint32_t me = hand->number;
  require(__atomic_compare_exchange_n(&owner[b - bundle], &me, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  if (copse_recycler_push_mpmc(&recycler, b, cap)) {
    --*n;
    hand->freed++;
    return;
  }
  /* Refused, it is still this thread's. */
  uint32_t nobody = 0;
  require(__atomic_compare_exchange_n(&owner[b - bundle], &nobody, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
  hand->refused++;
}

static void work(struct hand *hand) {
  struct bundle *mine[BUNDLES];
  unsigned n = 0;
  for (unsigned i = 0; i < BUNDLES; i++)
    if (i % THREADS == hand->number - 1) {
      owner[i] = hand->number;
      bundle_open(&bundle[i], 1 + i);
      mine[n++] = &bundle[i];
    }
  uint64_t made = hand->made, freed = hand->freed, before = hand->refused;
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    if (random_below(&hand->random, 2) && n) push(hand, mine, &n);
    else pop(hand, mine, &n);
    require(recycler_count(&recycler) <= cap);
  }
  __atomic_fetch_add(&popped, hand->made - made, __ATOMIC_RELAXED);
  __atomic_fetch_add(&pushed, hand->freed - freed, __ATOMIC_RELAXED);
  __atomic_fetch_add(&refused, hand->refused - before, __ATOMIC_RELAXED);
}

static void one_round(struct hand *hand) {
  static const unsigned caps[] = {0, 1, 2, 5, BUNDLES, BUNDLES, RECYCLER_MAX};
  cap = caps[random_below(&hand->random, sizeof caps / sizeof *caps)];
  popped = pushed = refused = 0;
  crew(THREADS, work, NULL);
  unsigned in_stack = 0;
  uint64_t slots = 0;
  for (unsigned i = 0; i < BUNDLES; i++) {
    in_stack += owner[i] == 0;
    if (owner[i] == 0) slots += 1 + i;
  }
  require(pushed - popped == in_stack && recycler_count(&recycler) == in_stack && copse_recycler_slots(&recycler) == slots);
  for (struct bundle *b; (b = copse_recycler_pop_mpmc(&recycler)); in_stack--) require(owner[b - bundle] == 0);
  require(in_stack == 0);
  stress_add("bundles pushed", pushed);
  stress_add("bundles popped", popped);
  stress_add("pushes refused", refused);
}

const struct scenario stress_scenario = {
  "eight threads push and pop 24 bundles on one stack with room for 0, 1, some and all",
  STRESS_REFUSALS,
  one_round,
};
