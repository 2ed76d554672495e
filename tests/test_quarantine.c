/* SPDX-License-Identifier: MIT */
/* The quarantine: first in, first out, bounded in bytes, but always the newest. */
#include "core.h"
#include "check.h"
#include "lock.h"
#include "quarantine.h"
#include "side.h"

#if INSTRUMENTED

static int up(void **state) {
  (void)state;
  core_up((u64)1 << 32);
  if (!copse_side_start()) return 1;
  copse_quarantine_start();
  for (unsigned class = 0; class <= region_spans(); class++)
    if (!copse_side_commit(class, 0, 1000)) return 1;
  return 0;
}

static int down(void **state) {
  (void)state;
  copse_side_stop();
  core_down();
  return 0;
}

static void put(unsigned class, u64 slot) { copse_quarantine_put(class, slot, class < CLASSES ? class_size(class) : (u64)2 << 20); }

static void test_first_in_first_out(void **state) {
  (void)state;
  u64 slot;
  static const u64 order[] = {7, 3, 999, 0, 500};
  assert_false(copse_quarantine_take(2, true, &slot));
  for (unsigned i = 0; i < 5; i++) put(2, order[i]);
  assert_int_equal(copse_quarantine_slots(2), 5);
  assert_int_equal(copse_quarantine_bytes(2), 5 * class_size(2));
  assert_false(copse_quarantine_take(2, false, &slot)); /* it may hold more */
  for (unsigned i = 0; i < 5; i++) {
    assert_true(copse_quarantine_take(2, true, &slot));
    assert_int_equal(slot, order[i]);
  }
  assert_false(copse_quarantine_take(2, true, &slot));
  assert_int_equal(copse_quarantine_slots(2) + copse_quarantine_bytes(2), 0);
  /* And again, once it was empty. */
  put(2, 3);
  assert_true(copse_quarantine_take(2, true, &slot) && slot == 3);
}

static void test_bounded(void **state) {
  (void)state;
  u64 slot;
  copse_tunables.quarantine = 10 * class_size(20) + 1;
  for (u64 i = 0; i < 100; i++) {
    put(20, i);
    unsigned out = 0;
    while (copse_quarantine_take(20, false, &slot)) {
      assert_int_equal(slot, i - 10);
      out++;
    }
    assert_int_equal(out, i >= 10);
    assert_true(copse_quarantine_bytes(20) <= copse_tunables.quarantine);
  }
  /* Lowered, it drains. */
  copse_tunables.quarantine = 0;
  u64 out = 0;
  while (copse_quarantine_take(20, false, &slot)) assert_int_equal(slot, 90 + out++);
  assert_int_equal(out, 9);
}

static void test_the_newest_stays(void **state) {
  (void)state;
  u64 slot;
  copse_tunables.quarantine = 0;
  put(4, 11);
  assert_false(copse_quarantine_take(4, false, &slot));
  put(4, 12);
  assert_true(copse_quarantine_take(4, false, &slot) && slot == 11);
  assert_false(copse_quarantine_take(4, false, &slot));
  assert_true(copse_quarantine_take(4, true, &slot) && slot == 12);
}

static void test_spans_count_granules(void **state) {
  (void)state;
  u64 slot;
  copse_quarantine_put(region_spans(), 5, ((u64)3 << 20) + 4096);
  copse_quarantine_put(region_spans(), 9, (u64)2 << 20);
  assert_int_equal(copse_quarantine_bytes(region_spans()), (u64)6 << 20);
  assert_int_equal(copse_quarantine_slots(0), 0);
  assert_true(copse_quarantine_take(region_spans(), false, &slot) && slot == 5);
  assert_int_equal(copse_quarantine_bytes(region_spans()), (u64)2 << 20);
}

static u64 passed[3];
static void *pass(void *argument) {
  u64 slot, base = (uptr)argument * 300;
  for (u64 i = 0; i < 30000; i++) {
    /* The slot that this thread puts in is free: a bit says so. */
    u64 mine = base + i % 300, held = 0;
    struct side *side = copse_side_at(1, mine);
    if (cas_acquire(&side->size, &held, (u64)1)) put(1, mine);
    if (copse_quarantine_take(1, false, &slot)) {
      store_release(&copse_side_at(1, slot)->size, (u64)0);
      passed[(uptr)argument]++;
    }
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  u64 slot, left = 0;
  copse_tunables.quarantine = 100 * class_size(1);
  pthread_t threads[3];
  for (uptr i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, pass, (void *)i), 0);
  for (unsigned i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  assert_true(passed[0] + passed[1] + passed[2] > 1000);
  assert_int_equal(copse_quarantine_bytes(1), copse_quarantine_slots(1) * class_size(1));
  while (copse_quarantine_take(1, true, &slot)) {
    assert_int_equal(copse_side_at(1, slot)->size, 1);
    copse_side_at(1, slot)->size = 0;
    left++;
  }
  for (u64 i = 0; i < 900; i++) assert_int_equal(copse_side_at(1, i)->size, 0);
  assert_true(left <= 103);
}

/* Between the spans' lock and the pools'. */
static void test_ranks(void **state) {
  (void)state;
  struct lock below = LOCK_INITIALIZER(RANK_SPAN);
  copse_lock_acquire(&below);
  copse_quarantine_lock();
  copse_lock_acquire(&copse_pools[0].lock);
  copse_lock_release(&copse_pools[0].lock);
  copse_quarantine_unlock();
  copse_lock_release(&below);
  u64 slot;
  put(0, 1);
  assert_true(copse_quarantine_take(0, true, &slot));
}

static int put_under_a_pools_lock(void *unused) {
  (void)unused;
  copse_lock_acquire(&copse_pools[0].lock);
  put(0, 1);
  return 0;
}

static void test_wrong_rank_is_seen(void **state) {
  (void)state;
  char said[300];
  assert_int_equal(in_child_saying(put_under_a_pools_lock, NULL, said, sizeof said), -SIGABRT);
  assert_non_null(strstr(said, "broken invariant"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_first_in_first_out, up, down),
    cmocka_unit_test_setup_teardown(test_bounded, up, down),
    cmocka_unit_test_setup_teardown(test_the_newest_stays, up, down),
    cmocka_unit_test_setup_teardown(test_spans_count_granules, up, down),
    cmocka_unit_test_setup_teardown(test_threads, up, down),
    cmocka_unit_test_setup_teardown(test_ranks, up, down),
    cmocka_unit_test_setup_teardown(test_wrong_rank_is_seen, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release holds nothing back");
  return 0;
}

#endif
