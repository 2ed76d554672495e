/* SPDX-License-Identifier: MIT */
/* Huge pages: 1 GB, 2 MB, default, in this order, on a pretended system; and for real where root can set some aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "huge_pool.h"
#include "tunables.h"
#include "vm_faults.h"
#include <string.h>
#include <sys/mman.h>

#define MB ((size_t)1 << 20)
#define GB ((size_t)1 << 30)

static char *range; /* 4 GB, aligned to 1 GB */

static int setup(void **state) {
  (void)state;
  copse_vm_start();
  vm_faults_install();
  copse_tunables.huge = 2;
  range = copse_vm_reserve(4 * GB, GB);
  vm_faults_reset();
  memset(&copse_vm_counters, 0, sizeof copse_vm_counters);
  return range ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  copse_vm_unreserve(range, 4 * GB);
  vm_faults_remove();
  copse_tunables.huge = HUGE_DEFAULT;
  return 0;
}

static void expect(u64 huge_1g, u64 huge_2m, u64 fallbacks_1g, u64 fallbacks_2m) {
  assert_int_equal(copse_vm_counters.huge_1g, huge_1g);
  assert_int_equal(copse_vm_counters.huge_2m, huge_2m);
  assert_int_equal(copse_vm_counters.huge_1g_fallbacks, fallbacks_1g);
  assert_int_equal(copse_vm_counters.huge_2m_fallbacks, fallbacks_2m);
  assert_int_equal(copse_vm_counters.committed, huge_1g + huge_2m);
}

/* The sizes of huge pages that were asked for, in order of first appearance. */
static void expect_order(const unsigned *shifts, unsigned count) {
  unsigned seen = 0, last = 0;
  for (u64 i = 0; i < vm_faults.calls[VM_ANY] && i < VM_LOG; i++) {
    const struct vm_record *call = &vm_faults.log[i];
    if (call->kind != VM_MMAP || !(call->flags & MAP_HUGETLB)) continue;
    /* The pages are set aside at once, or it fails. */
    assert_false(call->flags & (MAP_NORESERVE | MAP_FIXED | MAP_POPULATE));
    unsigned shift = (unsigned)call->flags >> 26;
    if (shift == last) continue;
    assert_true(seen < count && shifts[seen] == shift);
    seen++;
    last = shift;
  }
  assert_int_equal(seen, count);
}

static bool refuse_moves(const struct vm_record *call) { return call->kind == VM_MREMAP; }

static bool in_range(const void *p) { return (const char *)p >= range && (const char *)p < range + 4 * GB; }

/* A kernel that cannot move huge pages is not asked to move them over the reservation: it would leave a hole. */
static void rehearsal(void **state) {
  (void)state;
  vm_faults.huge_1g = 0;
  vm_faults.huge_2m = 100;
  vm_faults.refuse = refuse_moves;
  assert_int_equal(copse_vm_commit_huge(range, 6 * MB), 0);
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++)
    assert_false(vm_faults.log[i].kind == VM_MREMAP && in_range(vm_faults.log[i].address));
  assert_true(vm_faults.calls[VM_MREMAP] > 0);
  /* One that can is asked twice the first time, once from then on. */
  vm_faults.refuse = NULL;
  for (unsigned round = 0; round < 2; round++) {
    vm_faults_reset();
    vm_faults.huge_2m = 100;
    assert_int_equal(copse_vm_commit_huge(range + round * 8 * MB, 6 * MB), 6 * MB);
    assert_int_equal(vm_faults.calls[VM_MREMAP], 2 - round);
    assert_true(in_range(vm_faults.log[vm_faults.calls[VM_ANY] - 1].address));
  }
}

static void largest_first(void **state) {
  (void)state;
  vm_faults.huge_1g = 2;
  vm_faults.huge_2m = 1024;
  /* 1 GB pages for what they cover, 2 MB ones for the rest. */
  assert_int_equal(copse_vm_commit_huge(range, 2 * GB + 6 * MB), 2 * GB + 6 * MB);
  expect(2 * GB, 6 * MB, 0, 0);
  expect_order((const unsigned[]){30, 21}, 2);
  assert_int_equal(vm_faults.huge_1g, 0);
  assert_int_equal(vm_faults.huge_2m, 1021);
  range[0] = range[2 * GB] = range[2 * GB + 6 * MB - 1] = 1;
}

/* A cgroup's limit, or the nodes that it is bound to, may keep from this process what the system has: known from the first touch only. */
static bool refuse_touch(const struct vm_record *call) { return call->kind == VM_MADVISE && call->advice == VM_POPULATE_WRITE; }

static void set_aside_for_others(void **state) {
  (void)state;
  vm_faults.huge_1g = 4;
  vm_faults.huge_2m = 10000;
  vm_faults.refuse = refuse_touch;
  assert_int_equal(copse_vm_commit_huge(range, GB + 6 * MB), 0);
  expect(0, 0, 1, 1);
  assert_int_equal(vm_faults.calls[VM_MREMAP], 0);
  assert_int_equal(vm_faults.calls[VM_MMAP], vm_faults.calls[VM_MUNMAP]);
  assert_true(copse_vm_commit(range, GB + 6 * MB));
  range[0] = range[GB + 6 * MB - 1] = 1;
  /* Every page was touched before it stood where it may be used. */
  vm_faults.refuse = NULL;
  vm_faults_reset();
  assert_int_equal(copse_vm_commit_huge(range + 2 * GB, 6 * MB), 6 * MB);
  u64 touched = 0;
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++) {
    if (refuse_touch(&vm_faults.log[i])) touched += vm_faults.log[i].length;
    if (vm_faults.log[i].kind == VM_MREMAP) assert_int_equal(touched, 6 * MB);
  }
  assert_int_equal(touched, 6 * MB);
}

static void fallbacks(void **state) {
  (void)state;
  /* Some 1 GB pages, fewer than wanted. */
  vm_faults.huge_1g = 1;
  vm_faults.huge_2m = 512;
  assert_int_equal(copse_vm_commit_huge(range, 2 * GB), 2 * GB);
  expect(GB, GB, 1, 0);
  expect_order((const unsigned[]){30, 21}, 2);
  assert_true(copse_vm_uncommit(range, 2 * GB));
  /* No 1 GB page, some 2 MB pages: the front gets them. */
  vm_faults_reset();
  vm_faults.huge_1g = 0;
  vm_faults.huge_2m = 300;
  memset(&copse_vm_counters, 0, sizeof copse_vm_counters);
  size_t got = copse_vm_commit_huge(range, GB);
  assert_in_range(got, 256 * MB, 600 * MB);
  expect(0, got, 1, 1);
  expect_order((const unsigned[]){30, 21}, 2);
  range[0] = range[got - 1] = 1;
  assert_true(copse_vm_uncommit(range, GB));
  /* None at all: two refusals, then the caller's turn. */
  vm_faults_reset();
  vm_faults.huge_2m = 0;
  memset(&copse_vm_counters, 0, sizeof copse_vm_counters);
  assert_int_equal(copse_vm_commit_huge(range, 2 * GB), 0);
  expect(0, 0, 1, 1);
  expect_order((const unsigned[]){30, 21}, 2);
  assert_true(copse_vm_commit(range, 2 * GB));
  range[0] = range[2 * GB - 1] = 1;
  /* And not remembered. */
  vm_faults.huge_1g = 1;
  assert_int_equal(copse_vm_commit_huge(range + 3 * GB, GB), GB);
}

/* A long row of refusals makes asking rare, each is counted as a fallback, and it never ends. */
static void refusals_in_a_row(void **state) {
  (void)state;
  vm_faults.huge_1g = vm_faults.huge_2m = 0;
  for (unsigned i = 0; i < 1000; i++) assert_int_equal(copse_vm_commit_huge(range, 4 * MB), 0);
  print_message("asked by 1000 requests: %u times\n", (unsigned)vm_faults.calls[VM_ANY]);
  expect(0, 0, 0, 1000);
  assert_in_range(vm_faults.calls[VM_ANY], 20, 100);
  /* Now there are some: found soon, and from then on each time. */
  vm_faults.huge_2m = 100;
  unsigned n = 1;
  for (; copse_vm_commit_huge(range, 4 * MB) == 0; n++) assert_true(n < 64);
  for (unsigned i = 1; i < 5; i++) assert_int_equal(copse_vm_commit_huge(range + i * 4 * MB, 4 * MB), 4 * MB);
  /* Again rare only after a row of them. */
  vm_faults.huge_2m = 0;
  vm_faults_reset();
  for (unsigned i = 0; i < 10; i++) assert_int_equal(copse_vm_commit_huge(range, 4 * MB), 0);
  assert_int_equal(vm_faults.calls[VM_MMAP], 20);
  vm_faults.huge_2m = 2;
  assert_int_equal(copse_vm_commit_huge(range, 4 * MB), 4 * MB);
}

static void where_1g_does_not_fit(void **state) {
  (void)state;
  vm_faults.huge_1g = vm_faults.huge_2m = 4096;
  assert_int_equal(copse_vm_commit_huge(range + 2 * MB, GB), GB);
  assert_int_equal(copse_vm_commit_huge(range + 2 * GB, GB - 2 * MB), GB - 2 * MB);
  expect(0, 2 * GB - 2 * MB, 0, 0);
  expect_order((const unsigned[]){21}, 1);
}

static void switched_off(void **state) {
  (void)state;
  vm_faults.huge_1g = vm_faults.huge_2m = 4096;
  copse_tunables.huge = 1;
  assert_int_equal(copse_vm_commit_huge(range, GB), 0);
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
  expect(0, 0, 0, 0);
  copse_tunables.huge = 0;
  copse_vm_advise_huge(range, GB);
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
}

/* Every call made to fail: what is said to be committed is, the rest can be, nothing is a hole, nothing is lost. */
static void refused(void **state) {
  (void)state;
  bool done = false;
  u64 refusals = 0;
  for (u64 k = 1; !done; k++) {
    assert_true(copse_vm_uncommit(range, 2 * GB));
    memset(&copse_vm_counters, 0, sizeof copse_vm_counters);
    vm_faults_reset();
    vm_faults.huge_1g = 1;
    vm_faults.huge_2m = 300;
    vm_faults_fail(VM_ANY, k);
    size_t got = copse_vm_commit_huge(range, 2 * GB);
    done = !vm_faults.failed;
    refusals += !done;
    vm_faults_fail_none();
    assert_int_equal(got % (2 * MB), 0);
    assert_int_equal(copse_vm_counters.committed, got);
    assert_int_equal(copse_vm_counters.huge_1g + copse_vm_counters.huge_2m, got);
    assert_true(copse_vm_commit(range + got, 2 * GB - got));
    for (size_t i = 0; i < 2 * GB; i += 64 * MB) range[i] = 1;
    assert_true(k < 60);
  }
  assert_true(refusals >= 6);
}

static void advice(void **state) {
  (void)state;
  copse_vm_facts.huge = 2 * MB;
  copse_vm_facts.huge_always = false;
  assert_true(copse_vm_commit(range, 8 * MB));
  copse_vm_advise_huge(range + 1, 8 * MB - 2); /* inwards */
  assert_int_equal(copse_vm_counters.huge_advised, 4 * MB);
  assert_ptr_equal(vm_faults.log[1].address, range + 2 * MB);
  assert_int_equal(vm_faults.log[1].advice, MADV_HUGEPAGE);
  vm_faults_reset();
  copse_vm_advise_huge(range + 1, 4 * MB - 2); /* none inside */
  copse_vm_advise_small(range, 8 * MB); /* nobody gives any unasked */
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
  copse_vm_facts.huge_always = true;
  copse_vm_advise_small(range, 8 * MB);
  assert_int_equal(vm_faults.log[0].advice, MADV_NOHUGEPAGE);
  vm_faults_reset();
  copse_vm_facts.huge = 0;
  copse_vm_advise_huge(range, 8 * MB);
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
  copse_vm_start();
}

/* ---- for real ---- */

static void real_2m(void **state) {
  (void)state;
  if (!huge_pool_grow("2048kB", 16)) {
    print_message("no 2 MB page can be set aside here\n");
    return;
  }
  size_t got = copse_vm_commit_huge(range + 2 * MB, 16 * MB);
  size_t touched = got;
  if (got) memset(range + 2 * MB, 1, got);
  bool released = !got || copse_vm_uncommit(range + 2 * MB, got);
  bool back = huge_pool_shrink("2048kB");
  print_message("2 MB pages for real: %zu MB of 16\n", got / MB);
  assert_true(touched >= 2 * MB && released && back);
  assert_int_equal(copse_vm_counters.huge_2m, got);
}

static void real_1g(void **state) {
  (void)state;
  if (!huge_pool_grow("1048576kB", 1)) {
    print_message("no 1 GB page can be set aside here\n");
    return;
  }
  size_t got = copse_vm_commit_huge(range + GB, GB);
  if (got) range[GB] = range[2 * GB - 1] = 1;
  bool released = !got || copse_vm_uncommit(range + GB, GB);
  bool back = huge_pool_shrink("1048576kB");
  print_message("1 GB pages for real: %zu MB\n", copse_vm_counters.huge_1g / MB);
  assert_true(released && back);
  assert_int_equal(copse_vm_counters.huge_1g, GB);
}

/* On the system as it is: whatever there is, the fallbacks say what was missing. */
static void real_fallbacks(void **state) {
  (void)state;
  size_t got = copse_vm_commit_huge(range, GB + 2 * MB);
  assert_int_equal(copse_vm_counters.huge_1g + copse_vm_counters.huge_2m, got);
  assert_int_equal(copse_vm_counters.huge_1g_fallbacks, copse_vm_counters.huge_1g == 0);
  assert_int_equal(copse_vm_counters.huge_2m_fallbacks, got != GB + 2 * MB);
  assert_true(copse_vm_commit(range + got, GB + 2 * MB - got));
  range[GB + 2 * MB - 1] = 1;
  if (got) range[0] = 1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(rehearsal, setup, teardown), /* before any other moves one */
    cmocka_unit_test_setup_teardown(largest_first, setup, teardown),
    cmocka_unit_test_setup_teardown(set_aside_for_others, setup, teardown),
    cmocka_unit_test_setup_teardown(fallbacks, setup, teardown),
    cmocka_unit_test_setup_teardown(where_1g_does_not_fit, setup, teardown),
    cmocka_unit_test_setup_teardown(refusals_in_a_row, setup, teardown),
    cmocka_unit_test_setup_teardown(switched_off, setup, teardown),
    cmocka_unit_test_setup_teardown(refused, setup, teardown),
    cmocka_unit_test_setup_teardown(advice, setup, teardown),
    cmocka_unit_test_setup_teardown(real_2m, setup, teardown),
    cmocka_unit_test_setup_teardown(real_1g, setup, teardown),
    cmocka_unit_test_setup_teardown(real_fallbacks, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
