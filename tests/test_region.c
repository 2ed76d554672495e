/* SPDX-License-Identifier: MIT */
/* The reservation: how much, where, what it is halved to; and the bump of copse's own region. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "atomic.h"
#include "region.h"
#include "tunables.h"
#include "vm_faults.h"
#include <pthread.h>
#include <string.h>

#define MB ((u64)1 << 20)
#define GB ((u64)1 << 30)

/* Before start every pointer is foreign; so this test comes first. */
static void before_start(void **state) {
  char here;
  assert_true(region_of(&here) >= copse_regions.count);
  assert_true(region_of(state) >= copse_regions.count);
}

static int setup(void **state) {
  (void)state;
  copse_vm_start();
  vm_faults_install();
  copse_tunables.reserve = (u64)1 << 38;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  vm_faults_remove();
  if (copse_regions.base) copse_vm_unreserve(copse_regions.base, region_reserved());
  memset(&copse_regions, 0, sizeof copse_regions);
  return 0;
}

static void layout(void **state) {
  (void)state;
  assert_true(copse_region_start());
  assert_in_range(copse_regions.bits, REGION_BITS_MIN, 32);
  assert_int_equal((uptr)copse_regions.base % GB, 0);
  for (unsigned i = 0; i < copse_regions.count; i++) {
    assert_int_equal(region_of(region_base(i)), i);
    assert_int_equal(region_of(region_base(i) + region_size() - 1), i);
  }
  assert_true(region_of(copse_regions.base - 1) >= copse_regions.count);
  assert_true(region_of(copse_regions.base + (region_reserved())) >= copse_regions.count);
  char here;
  assert_true(region_of(&here) >= copse_regions.count);
  assert_true(region_of(NULL) >= copse_regions.count);
}

static void least_and_between(void **state) {
  (void)state;
  copse_tunables.reserve = 128 * MB;
  assert_true(copse_region_start());
  assert_int_equal(copse_regions.bits, REGION_BITS_MIN);
  teardown(state);
  copse_tunables.reserve = 3 * GB; /* rounded down to a power of two */
  assert_true(copse_region_start());
  assert_int_equal(region_reserved(), 2 * GB);
}

static u64 largest;
static bool refuse_above(const struct vm_record *call) { return call->kind == VM_MMAP && call->length > largest; }

static void halved(void **state) {
  (void)state;
  largest = 5 * GB;
  vm_faults.refuse = refuse_above;
  assert_true(copse_region_start());
  assert_int_equal(region_reserved(), 4 * GB);
  teardown(state);
  vm_faults_install();
  vm_faults.refuse = refuse_above;
  largest = 127 * MB;
  assert_false(copse_region_start());
  assert_null(copse_regions.base);
  /* It is not given up for ever. */
  largest = 128 * MB;
  assert_true(copse_region_start());
  assert_int_equal(copse_regions.bits, REGION_BITS_MIN);
}

static void own(void **state) {
  (void)state;
  assert_true(copse_region_start());
  char *a = copse_region_own(100, 64), *b = copse_region_own(1, 4096);
  assert_ptr_equal(a, region_base(region_own()));
  assert_ptr_equal(b, a + 4096);
  u64 bytes = copse_region_own_bytes;
  char *c = copse_region_own_committed(5 * MB, 1024);
  assert_non_null(c);
  assert_int_equal((uptr)c % 1024, 0);
  memset(c, 1, 5 * MB);
  assert_int_equal(copse_region_own_bytes - bytes, 5 * MB);
  vm_faults_fail(VM_ANY, 1);
  assert_null(copse_region_own_committed(MB, 64));
  assert_int_equal(copse_region_own_bytes - bytes, 5 * MB);
  vm_faults_fail_none();
  assert_null(copse_region_own(region_size(), 64));
  assert_null(copse_region_own(UINT64_MAX - 64, 64));
  assert_non_null(copse_region_own_committed(MB, 64));
}

/* Claims of several threads are disjoint: each writes its name into all it got, and finds it again. */
static void *claim(void *name) {
  u64 *mine[500], wrong = 0;
  for (unsigned i = 0; i < 500; i++) {
    mine[i] = copse_region_own_committed(64, 64);
    if (mine[i]) for (unsigned j = 0; j < 8; j++) mine[i][j] = (u64)(uptr)name;
    else wrong++;
  }
  for (unsigned i = 0; i < 500; i++)
    for (unsigned j = 0; mine[i] && j < 8; j++) wrong += mine[i][j] != (u64)(uptr)name;
  *(u64 *)name = wrong;
  return NULL;
}

static void own_by_threads(void **state) {
  (void)state;
  assert_true(copse_region_start());
  pthread_t threads[4];
  u64 wrong[4] = {1, 1, 1, 1};
  for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, claim, &wrong[i]), 0);
  for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (unsigned i = 0; i < 4; i++) assert_int_equal(wrong[i], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(before_start),
    cmocka_unit_test_setup_teardown(layout, setup, teardown),
    cmocka_unit_test_setup_teardown(least_and_between, setup, teardown),
    cmocka_unit_test_setup_teardown(halved, setup, teardown),
    cmocka_unit_test_setup_teardown(own, setup, teardown),
    cmocka_unit_test_setup_teardown(own_by_threads, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
