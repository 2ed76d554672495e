/* SPDX-License-Identifier: MIT */
/* Bundles: the arithmetic of their tops at every depth, and where new ones come from. */
#include "core.h"
#include "bundle.h"

#define SMALL_RESERVE ((u64)1 << 27) /* regions of 2 MB */

static struct bundle here __attribute__((aligned(BUNDLE_BYTES)));

static void test_each_depth(void **state) {
  (void)state;
  for (unsigned depth = 1; depth <= BUNDLE_SLOTS; depth++) {
    for (unsigned i = 0; i < BUNDLE_SLOTS; i++) here.slot[i] = &here;
    here.null = NULL;
    bundle_open(&here, depth);
    void **bottom = bundle_bottom(&here), **full = here.slot + BUNDLE_SLOTS;
    assert_int_equal(bundle_depth(&here), depth);
    assert_ptr_equal(bottom + depth, full);
    assert_null(bottom[-1]);
    assert_int_equal((uptr)full % BUNDLE_BYTES, 0);
    for (unsigned count = 0; count <= depth; count++) {
      assert_ptr_equal(bundle_of(bottom + count), &here);
      assert_int_equal(bundle_count(&here, bottom + count), count);
      /* The boundary is the test for full: of no other top. */
      assert_int_equal(((uptr)(bottom + count) & (BUNDLE_BYTES - 1)) == 0, count == depth);
    }
  }
}

static int up(void **state) {
  (void)state;
  core_up(SMALL_RESERVE);
  return 0;
}

static int down(void **state) {
  (void)state;
  vm_faults_remove();
  core_down();
  return 0;
}

static void test_make(void **state) {
  (void)state;
  struct bundle *made = copse_bundle_make(8), *b = made;
  for (unsigned i = 0; i < 8; i++, b = b->batch) {
    assert_non_null(b);
    assert_int_equal((uptr)b % BUNDLE_BYTES, 0);
    assert_int_equal(region_of(b), region_own());
    memset(b->slot, 0x55, sizeof b->slot);
  }
  assert_null(b);
  struct bundle *one = copse_bundle_make(1);
  assert_non_null(one);
  assert_null(one->batch);
  for (b = made; b; b = b->batch) assert_ptr_not_equal(b, one);
}

static void test_one_where_many_are_refused(void **state) {
  (void)state;
  vm_faults_install();
  vm_faults_fail(VM_MPROTECT, 1);
  struct bundle *b = copse_bundle_make(4);
  assert_non_null(b);
  assert_null(b->batch);
  b->slot[0] = b;
  vm_faults_fail_from(VM_MPROTECT, 1);
  assert_null(copse_bundle_make(4));
  assert_null(copse_bundle_make(1));
  vm_faults_fail_none();
  assert_non_null(copse_bundle_make(4));
}

static void test_until_nothing_is_left(void **state) {
  (void)state;
  u64 bundles = 0;
  struct bundle *b;
  while ((b = copse_bundle_make(3)))
    for (; b; b = b->batch) {
      b->bottom = (void **)b;
      require(region_of(b) == region_own());
      bundles++;
    }
  assert_true(bundles * BUNDLE_BYTES <= region_size());
  assert_true(bundles * BUNDLE_BYTES > region_size() / 2);
  assert_null(copse_bundle_make(1));
}

enum { MAKERS = 4, ROUNDS = 100 };
static struct bundle *made_by[MAKERS][ROUNDS];

static void *make_some(void *argument) {
  struct bundle **mine = argument;
  for (unsigned i = 0; i < ROUNDS; i++) {
    mine[i] = copse_bundle_make(2);
    require(mine[i] && mine[i]->batch && !mine[i]->batch->batch);
    mine[i]->slot[0] = mine[i]->batch->slot[0] = mine;
  }
  return NULL;
}

static void test_makers_share_nothing(void **state) {
  (void)state;
  pthread_t thread[MAKERS];
  for (unsigned t = 0; t < MAKERS; t++) assert_int_equal(pthread_create(&thread[t], NULL, make_some, made_by[t]), 0);
  for (unsigned t = 0; t < MAKERS; t++) pthread_join(thread[t], NULL);
  /* Whoever wrote there last is the only one who wrote there. */
  for (unsigned t = 0; t < MAKERS; t++)
    for (unsigned i = 0; i < ROUNDS; i++) {
      assert_ptr_equal(made_by[t][i]->slot[0], made_by[t]);
      assert_ptr_equal(made_by[t][i]->batch->slot[0], made_by[t]);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_each_depth),
    cmocka_unit_test_setup_teardown(test_make, up, down),
    cmocka_unit_test_setup_teardown(test_one_where_many_are_refused, up, down),
    cmocka_unit_test_setup_teardown(test_until_nothing_is_left, up, down),
    cmocka_unit_test_setup_teardown(test_makers_share_nothing, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
