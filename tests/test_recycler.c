/* SPDX-License-Identifier: MIT */
/* The stack of bundles: order, bound, generation, and threads that fight over it. */
#include "core.h"
#include "recycler.h"

enum { BUNDLES = RECYCLER_MAX + 8 };
static struct bundle bundles[BUNDLES] __attribute__((aligned(BUNDLE_BYTES)));
static struct recycler r;

static int fresh(void **state) {
  (void)state;
  memset(bundles, 0, sizeof bundles);
  for (unsigned i = 0; i < BUNDLES; i++) bundle_open(&bundles[i], 1 + i % BUNDLE_SLOTS);
  r = (struct recycler){0};
  return 0;
}

static void test_empty(void **state) {
  (void)state;
  assert_null(copse_recycler_pop_mpmc(&r));
  assert_int_equal(recycler_count(&r), 0);
  assert_int_equal(copse_recycler_slots(&r), 0);
}

static void test_last_in_first_out(void **state) {
  (void)state;
  u64 slots = 0;
  for (unsigned i = 0; i < RECYCLER_MAX; i++) {
    assert_true(copse_recycler_push_mpmc(&r, &bundles[i], RECYCLER_MAX));
    slots += bundle_depth(&bundles[i]);
    assert_int_equal(recycler_count(&r), i + 1);
    assert_int_equal(copse_recycler_slots(&r), slots);
  }
  for (unsigned i = RECYCLER_MAX; i-- > 0;) {
    assert_ptr_equal(copse_recycler_pop_mpmc(&r), &bundles[i]);
    slots -= bundle_depth(&bundles[i]);
    assert_int_equal(recycler_count(&r), i);
    assert_int_equal(copse_recycler_slots(&r), slots);
  }
  assert_null(copse_recycler_pop_mpmc(&r));
}

static void test_bound(void **state) {
  (void)state;
  for (unsigned cap = 0; cap <= RECYCLER_MAX; cap = cap < 8 ? cap + 1 : 5 * cap) {
    fresh(NULL);
    for (unsigned i = 0; i < cap; i++) assert_true(copse_recycler_push_mpmc(&r, &bundles[i], cap));
    struct pair before = r.head;
    assert_false(copse_recycler_push_mpmc(&r, &bundles[cap], cap));
    assert_memory_equal(&before, &r.head, sizeof before);
    assert_int_equal(recycler_count(&r), cap);
    if (!cap) continue;
    assert_ptr_equal(copse_recycler_pop_mpmc(&r), &bundles[cap - 1]);
    assert_true(copse_recycler_push_mpmc(&r, &bundles[cap], cap));
    assert_false(copse_recycler_push_mpmc(&r, &bundles[cap - 1], cap));
  }
}

static void test_bound_that_was_lowered(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++) assert_true(copse_recycler_push_mpmc(&r, &bundles[i], 10));
  assert_false(copse_recycler_push_mpmc(&r, &bundles[10], 3));
  for (unsigned i = 10; i-- > 3;) assert_ptr_equal(copse_recycler_pop_mpmc(&r), &bundles[i]);
  assert_false(copse_recycler_push_mpmc(&r, &bundles[10], 3));
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), &bundles[2]);
  assert_true(copse_recycler_push_mpmc(&r, &bundles[10], 3));
}

static void test_each_push_is_a_generation(void **state) {
  (void)state;
  for (unsigned i = 0; i < 5; i++) {
    u64 generation = r.head.high;
    copse_recycler_push_mpmc(&r, &bundles[i], 10);
    assert_int_equal(r.head.high, generation + 1);
  }
  u64 generation = r.head.high;
  for (unsigned i = 0; i < 6; i++) copse_recycler_pop_mpmc(&r);
  assert_int_equal(r.head.high, generation);
  assert_int_equal(r.head.low, 0);
  /* It may go round. */
  r.head.high = UINT64_MAX;
  assert_true(copse_recycler_push_mpmc(&r, &bundles[0], 10));
  assert_int_equal(r.head.high, 0);
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), &bundles[0]);
}

/*
 * The shape of ABA: a pop stops between its reads and its swap.  Meanwhile A and what lies below it go, something else
 * and A come back: the same bundle on top, the same count.  Its swap must fail, for its `next` is stale.
 */
static void test_same_top_same_count(void **state) {
  (void)state;
  struct bundle *a = &bundles[0], *b = &bundles[1], *c = &bundles[2];
  copse_recycler_push_mpmc(&r, b, 10);
  copse_recycler_push_mpmc(&r, a, 10);
  struct pair seen = r.head;
  struct pair next = {(uptr)b | 1, seen.high};
  assert_ptr_equal(a->next, b);
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), a);
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), b);
  copse_recycler_push_mpmc(&r, c, 10);
  copse_recycler_push_mpmc(&r, a, 10);
  assert_int_equal(r.head.low, seen.low);
  struct pair expected = seen;
  assert_false(cas_pair_acquire(&r.head, &expected, next));
  assert_int_equal(expected.low, r.head.low); /* it learnt what is there */
  assert_int_equal(expected.high, r.head.high);
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), a);
  assert_ptr_equal(copse_recycler_pop_mpmc(&r), c);
  assert_null(copse_recycler_pop_mpmc(&r));
}

/* A reader that took the halves at different times has an older generation and a newer bundle: rejected too. */
static void test_torn_read(void **state) {
  (void)state;
  copse_recycler_push_mpmc(&r, &bundles[0], 10);
  struct pair torn = {.high = r.head.high};
  copse_recycler_push_mpmc(&r, &bundles[1], 10);
  torn.low = r.head.low;
  assert_false(cas_pair_acquire(&r.head, &torn, (struct pair){0, torn.high}));
  assert_int_equal(recycler_count(&r), 2);
}

/* ---- threads ---- */

enum { THREADS = 4, POCKET = 6 };
static u32 owner[BUNDLES]; /* 0: in the recycler or nobody's */
static unsigned cap_now;
static u64 popped_total, refused_total;
static u32 stop;

static unsigned index_of(const struct bundle *b) { return (unsigned)(b - bundles); }

/* The owner writes into its bundle, plainly: who pops it next must see all of that. */
static void put_down(struct bundle *b, u32 me) {
  unsigned i = index_of(b);
  b->slot[0] = b->slot[BUNDLE_SLOTS - 1] = (void *)(uptr)(me + 1000);
  require(__atomic_exchange_n(&owner[i], 0, __ATOMIC_RELAXED) == me);
}

static void pick_up(struct bundle *b, u32 me) {
  unsigned i = index_of(b);
  require(i < BUNDLES && &bundles[i] == b);
  /* Whoever has it twice finds it owned. */
  require(__atomic_exchange_n(&owner[i], me, __ATOMIC_RELAXED) == 0);
  require(b->slot[0] == b->slot[BUNDLE_SLOTS - 1]);
}

static void *hammer(void *argument) {
  u32 me = (u32)(uptr)argument;
  struct bundle *pocket[BUNDLES];
  unsigned have = 0;
  u64 random = me * 77, popped = 0, refused = 0;
  for (unsigned i = 0; i < POCKET; i++) {
    pocket[have] = &bundles[(me - 1) * POCKET + i];
    owner[index_of(pocket[have++])] = me;
  }
  for (unsigned round = 0; round < (UNDER_SANITIZER ? 30000u : 200000u); round++) {
    unsigned some = 1 + (unsigned)random_below(&random, 3);
    if (random_below(&random, 2)) {
      while (some-- && have) {
        struct bundle *b = pocket[have - 1];
        put_down(b, me);
        if (copse_recycler_push_mpmc(&r, b, cap_now)) {
          have--;
        } else {
          __atomic_store_n(&owner[index_of(b)], me, __ATOMIC_RELAXED);
          refused++;
        }
      }
    } else {
      /* Several out before any goes back, and in another order: the same top over something else. */
      unsigned first = have;
      while (some--) {
        struct bundle *b = copse_recycler_pop_mpmc(&r);
        if (!b) break;
        pick_up(b, me);
        pocket[have++] = b;
        popped++;
      }
      for (unsigned i = first, j = have; i + 1 < j; i++) {
        struct bundle *b = pocket[i];
        pocket[i] = pocket[--j];
        pocket[j] = b;
      }
    }
    require(recycler_count(&r) <= cap_now);
    if (round % 16 == 0) require(copse_recycler_slots(&r) <= (u64)cap_now * BUNDLE_SLOTS);
  }
  __atomic_fetch_add(&popped_total, popped, __ATOMIC_RELAXED);
  __atomic_fetch_add(&refused_total, refused, __ATOMIC_RELAXED);
  return (void *)(uptr)have;
}

static void hammer_with(unsigned cap) {
  fresh(NULL);
  memset(owner, 0, sizeof owner);
  cap_now = cap;
  popped_total = refused_total = 0;
  pthread_t thread[THREADS];
  for (unsigned t = 0; t < THREADS; t++)
    assert_int_equal(pthread_create(&thread[t], NULL, hammer, (void *)(uptr)(t + 1)), 0);
  u64 held = 0;
  for (unsigned t = 0; t < THREADS; t++) {
    void *have;
    pthread_join(thread[t], &have);
    held += (uptr)have;
  }
  unsigned inside = recycler_count(&r), owned = 0;
  assert_true(inside <= cap);
  assert_int_equal(held + inside, THREADS * POCKET);
  for (unsigned i = 0; i < BUNDLES; i++) owned += owner[i] != 0;
  assert_int_equal(owned, held);
  for (unsigned i = 0; i < inside; i++) pick_up(copse_recycler_pop_mpmc(&r), 99);
  assert_null(copse_recycler_pop_mpmc(&r));
  if (cap) assert_true(popped_total > 0);
  if (cap < THREADS * POCKET) assert_true(refused_total > 0);
}

static void test_hammer_cap_0(void **state) {
  (void)state;
  hammer_with(0);
}
static void test_hammer_cap_1(void **state) {
  (void)state;
  hammer_with(1);
}
static void test_hammer_cap_5(void **state) {
  (void)state;
  hammer_with(5);
}
static void test_hammer_cap_max(void **state) {
  (void)state;
  hammer_with(RECYCLER_MAX);
}

/* Two threads that do nothing but pop two and push them back the other way round: the same top, the same count, always. */
static void *swapper(void *argument) {
  u32 me = (u32)(uptr)argument;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    struct bundle *a = copse_recycler_pop_mpmc(&r), *b = copse_recycler_pop_mpmc(&r);
    if (a) pick_up(a, me);
    if (b) pick_up(b, me);
    if (a) put_down(a, me);
    if (a) require(copse_recycler_push_mpmc(&r, a, 3));
    if (b) put_down(b, me);
    if (b) require(copse_recycler_push_mpmc(&r, b, 3));
  }
  return NULL;
}

static void test_threads_that_swap(void **state) {
  (void)state;
  memset(owner, 0, sizeof owner);
  stop = 0;
  for (unsigned i = 0; i < 3; i++) require(copse_recycler_push_mpmc(&r, &bundles[i], 3));
  pthread_t thread[3];
  for (unsigned t = 0; t < 3; t++) assert_int_equal(pthread_create(&thread[t], NULL, swapper, (void *)(uptr)(t + 1)), 0);
  usleep(500000);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (unsigned t = 0; t < 3; t++) pthread_join(thread[t], NULL);
  assert_int_equal(recycler_count(&r), 3);
  for (unsigned i = 0; i < 3; i++) pick_up(copse_recycler_pop_mpmc(&r), 9);
  assert_null(copse_recycler_pop_mpmc(&r));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_empty, fresh),
    cmocka_unit_test_setup(test_last_in_first_out, fresh),
    cmocka_unit_test_setup(test_bound, fresh),
    cmocka_unit_test_setup(test_bound_that_was_lowered, fresh),
    cmocka_unit_test_setup(test_each_push_is_a_generation, fresh),
    cmocka_unit_test_setup(test_same_top_same_count, fresh),
    cmocka_unit_test_setup(test_torn_read, fresh),
    cmocka_unit_test(test_hammer_cap_0),
    cmocka_unit_test(test_hammer_cap_1),
    cmocka_unit_test(test_hammer_cap_5),
    cmocka_unit_test(test_hammer_cap_max),
    cmocka_unit_test_setup(test_threads_that_swap, fresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
