/* SPDX-License-Identifier: MIT */
/* Records: where they are, that they are known once they are committed and not before, and what a refusal leaves. */
#include "core.h"
#include "check.h"
#include "side.h"

#if INSTRUMENTED

static void up(void) {
  core_up((u64)1 << 32);
  assert_true(copse_side_start());
}

static int down(void **state) {
  (void)state;
  vm_faults_remove();
  copse_side_stop();
  core_down();
  return 0;
}

/* Of every class and of the spans: the first, the last, and none that overlap. */
static void test_each_slot_has_one(void **state) {
  (void)state;
  up();
  const char *end = NULL;
  for (unsigned class = 0; class <= region_spans(); class++) {
    u64 slots = class < CLASSES ? copse_pools[class].slots_max : region_spans_size() >> 21;
    assert_true(copse_side_commit(class, 0, 1));
    assert_true(copse_side_commit(class, slots - 1, slots));
    struct side *first = copse_side_at(class, 0), *last = copse_side_at(class, slots - 1);
    assert_true((char *)first >= end);
    assert_ptr_equal(first + slots - 1, last);
    end = (char *)(last + 1);
    for (unsigned i = 0; i < sizeof *last; i++) assert_int_equal(((char *)last)[i], 0);
    memset(first, 1, sizeof *first);
    memset(last, 1, sizeof *last);
    assert_true(copse_side_known(class, 0) && copse_side_known(class, slots - 1));
  }
}

static void test_known_means_committed(void **state) {
  (void)state;
  up();
  assert_false(copse_side_known(3, 0));
  assert_false(copse_side_known(region_spans(), 0));
  assert_true(copse_side_commit(3, 5000, 6000));
  assert_true(copse_side_known(3, 5000) && copse_side_known(3, 5999));
  /* Others in the same step of 64 KB come with them, further ones do not. */
  assert_false(copse_side_known(3, 5000 - 2048));
  assert_false(copse_side_known(3, 6000 + 2048));
  assert_false(copse_side_known(2, 5000) || copse_side_known(4, 5000));
  /* Beyond all. */
  assert_false(copse_side_known(3, ~(u64)0) || copse_side_known(3, copse_pools[3].slots_max + 4096));
  assert_false(copse_side_known(region_spans() + 1, 0) || copse_side_known(region_own(), 0));
  assert_true(copse_side_commit_spans(7, 8) && copse_side_known(region_spans(), 7));
}

static void test_contents_stay(void **state) {
  (void)state;
  up();
  assert_true(copse_side_commit(0, 10, 11));
  copse_side_at(0, 10)->size = 42;
  u64 own = load_relaxed(&copse_region_own_bytes), committed = load_relaxed(&copse_vm_counters.committed);
  vm_faults_install();
  assert_true(copse_side_commit(0, 0, 2000));
  assert_int_equal(vm_faults.calls[VM_ANY], 0); /* it was there already */
  assert_true(copse_side_commit(0, 0, 100000));
  assert_int_equal(copse_side_at(0, 10)->size, 42);
  assert_true(load_relaxed(&copse_region_own_bytes) > own);
  assert_int_equal(load_relaxed(&copse_vm_counters.committed), committed); /* which is of slots and spans */
}

static void test_refused(void **state) {
  (void)state;
  up();
  vm_faults_install();
  vm_faults_fail(VM_MPROTECT, 1);
  assert_false(copse_side_commit(9, 100, 200));
  assert_false(copse_side_known(9, 100));
  /* And not for good. */
  assert_true(copse_side_commit(9, 100, 200));
  assert_true(copse_side_known(9, 100));
}

static void test_start_refused(void **state) {
  (void)state;
  core_up((u64)1 << 32);
  vm_faults_install();
  for (u64 k = 1; k <= 2; k++) {
    vm_faults_fail_from(VM_ANY, k);
    assert_false(copse_side_start());
  }
  vm_faults_fail_none();
  /* Without records nothing is recorded, and pools grow all the same. */
  assert_true(copse_side_commit(0, 0, 10));
  assert_false(copse_side_known(0, 0));
}

/* A pool that grows brings its records with it, or does not grow. */
static void test_growth_commits_records(void **state) {
  (void)state;
  up();
  void *p;
  unsigned taken;
  assert_int_equal(copse_pool_take(&copse_pools[5], 1, &p, &taken), POOL_TAKEN);
  u64 frontier = copse_pools[5].frontier;
  assert_true(frontier > 0);
  for (u64 slot = 0; slot < frontier; slot++) assert_true(copse_side_known(5, slot));
  vm_faults_install();
  vm_faults_fail_from(VM_MPROTECT, 1);
  assert_int_equal(copse_pool_take(&copse_pools[6], 1, &p, &taken), POOL_REFUSED);
  assert_true(pool_balanced(&copse_pools[6], 0, 0));
  vm_faults_fail_none();
  assert_int_equal(copse_pool_take(&copse_pools[6], 1, &p, &taken), POOL_TAKEN);
  assert_true(copse_side_known(6, pool_slot(&copse_pools[6], p)));
  assert_true(pool_balanced(&copse_pools[6], 1, 0));
}

static void *commit_some(void *argument) {
  for (u64 i = 0; i < 2000; i++) {
    u64 slot = i * 700 + (uptr)argument;
    require(copse_side_commit(1, slot, slot + 1) && copse_side_known(1, slot));
    add_relaxed(&copse_side_at(1, i * 700)->size, (u64)1);
  }
  return NULL;
}

/* Several threads reach the same steps: what one wrote another's commit leaves. */
static void test_threads(void **state) {
  (void)state;
  up();
  pthread_t threads[3];
  for (uptr i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, commit_some, (void *)i), 0);
  for (unsigned i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  for (u64 i = 0; i < 2000; i++) assert_int_equal(copse_side_at(1, i * 700)->size, 3);
}

static int other_number(void *mine) {
  copse_side_thread_forget();
  return copse_side_thread() != *(u32 *)mine && copse_side_thread() == (u32)getpid() ? 0 : 1;
}

static void test_thread_number(void **state) {
  (void)state;
  u32 mine = copse_side_thread();
  assert_int_equal(mine, gettid());
  assert_int_equal(in_child(other_number, &mine), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_each_slot_has_one, down),
    cmocka_unit_test_teardown(test_known_means_committed, down),
    cmocka_unit_test_teardown(test_contents_stay, down),
    cmocka_unit_test_teardown(test_refused, down),
    cmocka_unit_test_teardown(test_start_refused, down),
    cmocka_unit_test_teardown(test_growth_commits_records, down),
    cmocka_unit_test_teardown(test_threads, down),
    cmocka_unit_test(test_thread_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release keeps no records");
  return 0;
}

#endif
