/* SPDX-License-Identifier: MIT */
/* Spans where memory is short, locked, in larger pages or in huge ones: each in a process of its own. */
#include "span_help.h"
#include "under.h"
#include "huge_pool.h"
#include <sys/mman.h>
#include <sys/resource.h>

static void expect_success(int result) {
  if (result == SKIPPED) {
    print_message("means nothing here: left out\n");
    return;
  }
  assert_int_equal(result, 0);
}

static int data(void) {
  CHECK(span_begin((u64)1 << 36));
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 64 * MB};
  u64 now = own_status("VmData");
  struct rlimit limit = {now + 64 * MB + MB / 2, now + 64 * MB + MB / 2};
  CHECK(now && setrlimit(RLIMIT_DATA, &limit) == 0);
  /* What is cached makes way, its access included. */
  char *p = copse_span_alloc(40 * MB, 1, false), *q;
  CHECK(p);
  fill(p, 40 * MB, 1);
  CHECK(copse_span_free(p) && copse_span_counters.cached == 40 * MB);
  CHECK((p = copse_span_alloc(60 * MB, 1, true)) && zeros(p, 60 * MB));
  /* So does what is free and still accessible. */
  copse_tunables.span_cache = 0;
  CHECK(copse_span_free(p));
  char *low = copse_span_alloc(MB, 1, false); /* where it was */
  CHECK(low == p && (p = copse_span_alloc(50 * MB, 512 * MB, true)) && zeros(p, 50 * MB));
  CHECK(p - low == (ptrdiff_t)(512 * MB));
  fill(p, 50 * MB, 2);
  CHECK(!copse_span_alloc(40 * MB, 1, false) && copse_span_valid());
  CHECK((q = copse_span_alloc(10 * MB, 1, true)) && zeros(q, 10 * MB));
  CHECK(copse_span_free(q) && copse_span_free(low));
  /* In place it grows; to move, it would have to be there twice for a moment. */
  CHECK(copse_span_resize(p, 54 * MB) == p && (q = copse_span_alloc(MB, 2 * MB, false)));
  CHECK(!copse_span_resize(p, 120 * MB) && copse_span_size(p) == 54 * MB && filled_but_end(p, 50 * MB - 1, 2));
  CHECK(copse_span_free(p) && copse_span_free(q));
  /* What a refused move would have gone over is not forgotten: the second attempt has its access. */
  CHECK((p = copse_span_alloc(60 * MB, 1, false)) && copse_span_free(p));
  CHECK((p = copse_span_alloc(20 * MB, 1, false)));
  fill(p, 20 * MB, 3);
  CHECK((q = copse_span_alloc(MB, 1, false)) == p + 20 * MB);
  char *moved = copse_span_resize(p, 30 * MB);
  CHECK(moved && moved != p && filled_but_end(moved, 20 * MB - 1, 3));
  p = moved;
  CHECK(copse_span_free(p) && copse_span_free(q));
  CHECK(span_idle());
  return 0;
}

/* Granules with access between others without: what was refused behind them is not kept in front of them. */
static int data_in_parts(void) {
  CHECK(span_begin((u64)1 << 36));
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 0};
  char *low = copse_span_alloc(MB, 1, false), *p = copse_span_alloc(2 * MB, 64 * MB, false), *q;
  u64 committed = copse_vm_counters.committed, now = own_status("VmData");
  CHECK(low && p == low + 64 * MB && copse_span_free(p));
  struct rlimit limit = {now + 80 * MB + MB / 2, now + 80 * MB + MB / 2};
  CHECK(now && setrlimit(RLIMIT_DATA, &limit) == 0);
  for (unsigned i = 0; i < 3; i++) {
    CHECK(!copse_span_alloc(200 * MB, 1, false) && copse_span_valid());
    CHECK(own_status("VmData") <= now + MB && copse_vm_counters.committed == committed - 2 * MB);
    /* What fits beside them is to be had: behind, by its alignment, and to let it grow. */
    CHECK((p = copse_span_alloc(60 * MB, 512 * MB, true)) && zeros(p, 60 * MB) && copse_span_free(p));
    CHECK((p = copse_span_alloc(2 * MB, 64 * MB, true)) == low + 64 * MB && copse_span_free(p));
    CHECK(!copse_span_resize(low, 200 * MB) && copse_span_valid());
    CHECK(own_status("VmData") <= now + MB && copse_vm_counters.committed == committed - 2 * MB);
    CHECK((p = copse_span_alloc(2 * MB, 64 * MB, true)) == low + 64 * MB && zeros(p, 2 * MB));
    fill(p, 2 * MB, i);
    CHECK(copse_span_free(p));
  }
  CHECK(copse_span_free(low) && (q = copse_span_alloc(70 * MB, 1, true)) && zeros(q, 70 * MB) && copse_span_free(q));
  CHECK(span_idle());
  return 0;
}

/* A granule whose mapping could not be renewed keeps its access for what is then refused, which takes that back. */
static bool refuse_renewal(const struct vm_record *call) {
  return call->kind == VM_MPROTECT || (call->kind == VM_MMAP && call->length == 2 * MB);
}

static int not_renewed(void) {
  CHECK(span_begin((u64)1 << 36));
  copse_vm_facts.huge_always = false;
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 0};
  char *a = copse_span_alloc(2 * MB, 1, false), *b = copse_span_alloc(2 * MB, 1, false);
  CHECK(a && b == a + 2 * MB && copse_span_free(a));
  copse_span_shrink();
  CHECK(copse_span_free(b) && copse_vm_counters.committed == 2 * MB);
  u64 now = own_status("VmData");
  vm_faults.refuse = refuse_renewal;
  CHECK(!copse_span_alloc(3 * MB, 1, false));
  vm_faults.refuse = NULL;
  CHECK(copse_span_valid() && copse_vm_counters.committed == 0);
  u64 given = (UNDER_SANITIZER || emulated() ? 1 : 2) * MB; /* 2 MB, but for what a sanitizer or an emulator takes meanwhile */
  if (now > given) CHECK(own_status("VmData") + given <= now);
  CHECK((a = copse_span_alloc(3 * MB, 1, true)) && zeros(a, 3 * MB) && copse_span_free(a) && span_idle());
  /* What had access in front of it loses it with the rest, and is known to have none. */
  copse_span_shrink();
  a = copse_span_alloc(2 * MB, 1, false), b = copse_span_alloc(2 * MB, 1, false);
  char *c = copse_span_alloc(2 * MB, 1, false);
  CHECK(a && b == a + 2 * MB && c == b + 2 * MB && copse_span_free(b));
  copse_span_shrink();
  CHECK(copse_span_free(a) && copse_span_free(c) && copse_vm_counters.committed == 4 * MB);
  vm_faults.refuse = refuse_renewal;
  CHECK(!copse_span_alloc(5 * MB, 1, false));
  vm_faults.refuse = NULL;
  CHECK(copse_span_valid() && copse_vm_counters.committed == 0);
  CHECK((a = copse_span_alloc(5 * MB, 1, true)) && zeros(a, 5 * MB) && copse_span_free(a) && span_idle());
  return 0;
}

static int address_space(void) {
  struct rlimit limit = {900 * MB, 900 * MB};
  if (own_status("VmSize") > 100 * MB) return SKIPPED; /* a sanitizer's own reservation */
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0 && span_begin((u64)1 << 44));
  copse_tunables = (struct tunables){.huge = 2, .span_cache = 8 * MB};
  CHECK(region_reserved() >= 256 * MB);
  void *p[100];
  u64 n = 0;
  while (n < 100 && (p[n] = copse_span_alloc(MB, 1, true))) memset(p[n++], 1, MB);
  CHECK(n == region_spans_size() / GRANULE);
  CHECK(copse_span_valid());
  while (n) CHECK(copse_span_free(p[--n]));
  /* Those that are cached make way for one that needs their room. */
  CHECK((p[0] = copse_span_alloc(region_spans_size(), 1, true)) && zeros(p[0], region_spans_size()));
  CHECK(copse_span_resize(p[0], MB) == p[0] && copse_span_resize(p[0], region_spans_size()) == p[0]);
  CHECK(copse_span_free(p[0]) && span_idle());
  return 0;
}

static int least_regions(void) {
  CHECK(span_begin(128 * MB) && region_size() == GRANULE);
  copse_tunables = (struct tunables){.huge = 2, .span_cache = 32 * MB};
  void *a = copse_span_alloc(1, 1, true), *b = copse_span_alloc(2 * MB, 1, true), *c = copse_span_alloc(MB, 1, true);
  CHECK(a && b && c && !copse_span_alloc(1, 1, true));
  CHECK(copse_span_free(a) && copse_span_free(b) && (a = copse_span_alloc(3 * MB, 1, true)));
  CHECK(!copse_span_resize(a, 5 * MB) && !copse_span_resize(c, 3 * MB));
  CHECK(copse_span_free(c) && (a = copse_span_resize(a, 6 * MB)) && !copse_span_resize(a, 6 * MB + 1));
  CHECK(copse_span_free(a) && span_idle());
  return 0;
}

/* Pages of it that have memory. */
static u64 resident(char *p, u64 length) {
  unsigned char in[8192];
  u64 n = 0;
  if (length / 4096 > sizeof in || mincore(p, length, in)) return ~(u64)0;
  for (u64 i = 0; i < length / 4096; i++) n += in[i] & 1;
  return n;
}

static int locked(void) {
  CHECK(span_begin(4 * GB));
  if (copse_vm_facts.page != 4096) return SKIPPED;
  copse_tunables = (struct tunables){.huge = 0, .span_cache = 0};
  if (mlockall(MCL_CURRENT | MCL_FUTURE) || !own_status("VmLck")) return SKIPPED; /* sanitizers make it do nothing */
  /* What is locked has its pages as soon as it has access. */
  char *p = copse_span_alloc(8 * MB, 1, true);
  CHECK(p && zeros(p, 8 * MB));
  fill(p, 8 * MB, 1);
  CHECK(resident(p, 8 * MB) == 2048);
  vm_faults_reset();
  CHECK(copse_span_free(p) && copse_span_valid());
  CHECK(vm_faults.calls[VM_MADVISE] == 2 && vm_faults.log[1].advice == 24);
  CHECK(resident(p, 8 * MB) == 0);
  CHECK((p = copse_span_alloc(8 * MB, 1, true)) && zeros(p, 8 * MB));
  fill(p, 8 * MB, 2);
  char *block = copse_span_alloc(MB, 1, false), *q = copse_span_resize(p, 20 * MB);
  CHECK(block && q && q != p && filled_but_end(q, 8 * MB - 1, 2));
  CHECK(copse_span_resize(q, 3 * MB) == q && filled_but_end(q, 3 * MB - 1, 2));
  CHECK(copse_span_free(q) && copse_span_free(block) && span_idle());
  return 0;
}

static int larger_pages(void) {
  copse_vm_start();
  vm_faults_install();
  for (u64 page = 16 * KB; page <= 64 * KB; page *= 4) {
    copse_vm_facts.page = page;
    copse_tunables.reserve = GB;
    CHECK(copse_region_start() && copse_span_start());
    vm_faults_reset();
    copse_tunables.huge = 1;
    copse_tunables.span_cache = 0;
    char *p = copse_span_alloc(MB + 1, 1, true);
    CHECK(p && copse_span_size(p) == MB + page);
    fill(p, MB + page, 1);
    CHECK(copse_span_resize(p, 2 * MB + 1) == p && copse_span_size(p) == 2 * MB + page);
    CHECK(filled_but_end(p, MB, 1));
    CHECK(copse_span_resize(p, MB / 2 + 1) == p && copse_span_size(p) == MB / 2 + page);
    for (u64 i = 0; i < vm_faults.calls[VM_ANY] && i < VM_LOG; i++)
      CHECK(((uptr)vm_faults.log[i].address & (page - 1)) == 0 && (vm_faults.log[i].length & (page - 1)) == 0);
    CHECK(copse_span_free(p) && span_idle());
  }
  return 0;
}

static int huge_pages_used(void) {
  CHECK(span_begin((u64)1 << 36));
  copse_tunables = (struct tunables){.huge = 2, .span_cache = 0};
  u64 committed = copse_vm_counters.committed;
  char *p = copse_span_alloc(9 * MB, 1, true);
  u64 got = copse_vm_counters.huge_2m;
  print_message("%llu MB in explicit huge pages\n", (unsigned long long)(got / MB));
  CHECK(p && got >= 2 * MB && zeros(p, 9 * MB));
  CHECK(copse_vm_counters.committed - committed == 10 * MB);
  fill(p, 9 * MB, 4);
  vm_faults_reset();
  CHECK(!copse_span_resize(p, 3 * MB) && copse_span_resize(p, 11 * MB) == p);
  char *block = copse_span_alloc(MB, 1, false);
  CHECK(block == p + 12 * MB && !copse_span_resize(p, 13 * MB) && filled_but_end(p, 9 * MB - 1, 4));
  CHECK(vm_faults.calls[VM_MADVISE] <= 1); /* advice for what was added; never MADV_DONTNEED */
  CHECK(copse_span_free(block));
  /* It comes back from the cache dirty, and is cleared by hand. */
  copse_tunables.span_cache = 32 * MB;
  vm_faults_reset();
  CHECK(copse_span_free(p) && copse_span_alloc(10 * MB, 1, true) == p && zeros(p, 10 * MB));
  CHECK(vm_faults.calls[VM_ANY] == 0);
  memset(p, 1, 10 * MB);
  CHECK(copse_span_free(p) && span_idle());
  /* After that the granules are common ones again. */
  copse_tunables.huge = 0;
  CHECK(copse_span_alloc(9 * MB, 1, true) == p && zeros(p, 9 * MB) && copse_span_free(p) && span_idle());
  return 0;
}

static void rlimit_data(void **state) { (void)state; expect_success(in_child(data)); }
static void renewal_refused(void **state) { (void)state; expect_success(in_child(not_renewed)); }
static void rlimit_data_in_parts(void **state) { (void)state; expect_success(in_child(data_in_parts)); }
static void rlimit_as(void **state) { (void)state; expect_success(in_child(address_space)); }
static void smallest_regions(void **state) { (void)state; expect_success(in_child(least_regions)); }
static void mlocked(void **state) { (void)state; expect_success(in_child(locked)); }
static void pages_of_16_and_64_kb(void **state) { (void)state; expect_success(in_child(larger_pages)); }

static void explicit_huge_pages(void **state) {
  (void)state;
  if (!huge_pool_grow("2048kB", 16)) {
    print_message("no 2 MB page can be set aside here\n");
    return;
  }
  int result = in_child(huge_pages_used);
  assert_true(huge_pool_shrink("2048kB"));
  expect_success(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(rlimit_data), cmocka_unit_test(rlimit_data_in_parts),
    cmocka_unit_test(renewal_refused), cmocka_unit_test(rlimit_as),
    cmocka_unit_test(smallest_regions), cmocka_unit_test(mlocked), cmocka_unit_test(pages_of_16_and_64_kb), cmocka_unit_test(explicit_huge_pages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
