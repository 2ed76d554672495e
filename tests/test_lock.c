/* SPDX-License-Identifier: MIT */
/* The ranked mutex: it excludes, its ranks are checked in the instrumented library, and while a thread forks it is free to it. */
#include "core.h"
#include "check.h"
#include "lock.h"

static struct lock low = LOCK_INITIALIZER(RANK_SPAN), pool_a, pool_b, pool_last;

static int setup(void **state) {
  (void)state;
  copse_lock_init(&pool_a, RANK_POOL);
  copse_lock_init(&pool_b, RANK_POOL + 1);
  copse_lock_init(&pool_last, RANK_POOL + CLASSES - 1);
  return 0;
}

enum { THREADS = 4 };
static u64 counter;

static void *count_up(void *argument) {
  struct lock *lock = argument;
  for (unsigned i = 0; i < (UNDER_SANITIZER ? 10000u : 100000u); i++) {
    copse_lock_acquire(lock);
    counter++;
    copse_lock_release(lock);
  }
  return NULL;
}

static void test_excludes(void **state) {
  (void)state;
  struct lock *locks[] = {&low, &pool_a, &pool_last};
  for (unsigned l = 0; l < 3; l++) {
    counter = 0;
    pthread_t thread[THREADS];
    for (unsigned t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&thread[t], NULL, count_up, locks[l]), 0);
    for (unsigned t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
    assert_int_equal(counter, THREADS * (UNDER_SANITIZER ? 10000 : 100000));
  }
}

static void test_holds_pool(void **state) {
  (void)state;
  assert_false(copse_lock_holds_pool());
  copse_lock_acquire(&low);
  assert_false(copse_lock_holds_pool());
  copse_lock_acquire(&pool_a);
  assert_int_equal(copse_lock_holds_pool(), INSTRUMENTED);
  copse_lock_acquire(&pool_last);
  copse_lock_release(&pool_a);
  assert_int_equal(copse_lock_holds_pool(), INSTRUMENTED);
  copse_lock_release(&pool_last);
  assert_false(copse_lock_holds_pool());
  copse_lock_release(&low);
}

static void test_ascending_ranks(void **state) {
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    copse_lock_acquire(&low);
    copse_lock_acquire(&pool_a);
    copse_lock_acquire(&pool_b);
    copse_lock_acquire(&pool_last);
    copse_lock_release(&pool_last);
    copse_lock_release(&pool_b);
    copse_lock_release(&pool_a);
    copse_lock_release(&low);
  }
}

#if INSTRUMENTED
struct two {
  struct lock *first, *second;
};

static int take_two(void *argument) {
  struct two *two = argument;
  copse_lock_acquire(two->first);
  copse_lock_acquire(two->second);
  return 0;
}

static int release_one(void *argument) {
  copse_lock_release(argument);
  return 0;
}

static void test_wrong_rank_is_said(void **state) {
  (void)state;
  static struct lock same = LOCK_INITIALIZER(RANK_SPAN), start = LOCK_INITIALIZER(RANK_START);
  struct two wrong[] = {{&pool_b, &pool_a}, {&pool_last, &pool_a}, {&pool_a, &low}, {&low, &same}, {&low, &start}, {&pool_a, &pool_a}};
  char said[400];
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(in_child_saying(take_two, &wrong[i], said, sizeof said), -SIGABRT);
    assert_non_null(strstr(said, "copse: broken invariant: "));
    assert_non_null(strstr(said, "lock.c"));
  }
  assert_int_equal(in_child_saying(release_one, &pool_a, said, sizeof said), -SIGABRT);
  assert_int_equal(in_child_saying(release_one, &low, said, sizeof said), -SIGABRT);
}
#endif

/* ---- while a thread forks ---- */

static void *take_and_leave(void *argument) {
  copse_lock_acquire(argument);
  counter++;
  copse_lock_release(argument);
  return NULL;
}

static void test_forking_thread_passes(void **state) {
  (void)state;
  counter = 0;
  copse_lock_acquire(&low);
  copse_lock_acquire(&pool_a);
  copse_lock_seize();
  assert_false(copse_lock_holds_pool());
  /* Its own are no-ops, in any order and as often as it likes. */
  copse_lock_acquire(&pool_b);
  copse_lock_acquire(&pool_a);
  copse_lock_acquire(&pool_a);
  copse_lock_acquire(&low);
  copse_lock_release(&low);
  copse_lock_release(&pool_a);
  /* Another thread's are not: it waits. */
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, take_and_leave, &pool_a), 0);
  usleep(50000);
  assert_int_equal(__atomic_load_n(&counter, __ATOMIC_RELAXED), 0);
  copse_lock_yield();
  assert_int_equal(copse_lock_holds_pool(), INSTRUMENTED);
  copse_lock_release(&pool_a);
  copse_lock_release(&low);
  pthread_join(thread, NULL);
  assert_int_equal(counter, 1);
}

/* A lock that nobody holds stays free to the others while a thread forks. */
static void test_seizing_locks_nothing(void **state) {
  (void)state;
  counter = 0;
  copse_lock_seize();
  copse_lock_acquire(&pool_b);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, take_and_leave, &pool_b), 0);
  pthread_join(thread, NULL);
  copse_lock_release(&pool_b);
  copse_lock_yield();
  assert_int_equal(counter, 1);
  copse_lock_acquire(&pool_b);
  copse_lock_release(&pool_b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_excludes),
    cmocka_unit_test(test_holds_pool),
    cmocka_unit_test(test_ascending_ranks),
#if INSTRUMENTED
    cmocka_unit_test(test_wrong_rank_is_said),
#endif
    cmocka_unit_test(test_forking_thread_passes),
    cmocka_unit_test(test_seizing_locks_nothing),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
