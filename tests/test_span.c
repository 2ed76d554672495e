/* SPDX-License-Identifier: MIT */
/* Spans as their users see them: start, size, alignment, zeros, the cache, the limit, resizing. */
#include "span_help.h"
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

static int setup(void **state) {
  (void)state;
  vm_faults_install();
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 32 * MB};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  vm_faults_fail_none();
  copse_tunables.limit = 0;
  return span_idle() ? 0 : -1;
}

static void take_and_free(void **state) {
  (void)state;
  const u64 sizes[] = {1, 4096, MB + 1, 2 * MB - 1, 2 * MB, 2 * MB + 1, 5 * MB, 70 * MB};
  enum { N = sizeof sizes / sizeof sizes[0] };
  void *p[N];
  u64 bytes = 0;
  for (unsigned i = 0; i < N; i++) {
    assert_non_null(p[i] = copse_span_alloc(sizes[i], 1, false));
    assert_int_equal((uptr)p[i] % (2 * MB), 0);
    u64 size = copse_span_size(p[i]);
    assert_true(size >= sizes[i] && size < sizes[i] + copse_vm_facts.page);
    fill(p[i], size, i);
    bytes += size;
  }
  assert_true(copse_span_valid());
  assert_int_equal(copse_span_counters.spans, N);
  assert_int_equal(copse_span_counters.bytes, bytes);
  assert_int_equal(copse_vm_counters.in_use, bytes);
  for (unsigned i = 0; i < N; i++) assert_true(filled(p[i], copse_span_size(p[i]), i));
  for (unsigned i = 0; i < N; i++) assert_true(copse_span_free(p[i]));
  for (unsigned i = 0; i < N; i++) assert_false(copse_span_free(p[i]));
  assert_true(copse_span_valid());
  assert_null(copse_span_alloc(0, 1, false));
  assert_null(copse_span_alloc(UINT64_MAX, 1, false));
  assert_null(copse_span_alloc(region_spans_size() + 1, 1, false));
}

static void foreign_pointers(void **state) {
  char *p = copse_span_alloc(5 * MB, 1, false);
  char *const others[] = {p + 1, p + 4096, p + 2 * MB, p + 6 * MB, p - 2 * MB, region_base(0), region_base(region_own()),
                          region_base(region_spans()) + region_spans_size() - GRANULE, (char *)state, NULL,
                          (char *)(uptr)-4096};
  for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_int_equal(copse_span_size(others[i]), 0);
    assert_false(copse_span_free(others[i]));
    assert_null(copse_span_resize(others[i], 4 * MB));
  }
  assert_int_equal(copse_span_size(p), 5 * MB);
  assert_true(copse_span_free(p));
}

static void alignment(void **state) {
  (void)state;
  copse_tunables.span_cache = copse_tunables.huge = 0;
  void *all[16], *pad = copse_span_alloc(MB, 1, false);
  unsigned n = 0;
  /* Where little was reserved there is no room for the largest. */
  for (u64 to = 2 * MB; to <= 4 * GB && 3 * to <= region_spans_size(); to *= 2) {
    char *p = all[n++] = copse_span_alloc(3 * MB, to, true);
    assert_non_null(p);
    assert_int_equal((uptr)p % to, 0);
    p[0] = p[3 * MB - 1] = 1;
  }
  assert_true(copse_span_valid());
  while (n) assert_true(copse_span_free(all[--n]));
  /* The cache looks at the alignment too. */
  copse_tunables.span_cache = 32 * MB;
  void *odd = copse_span_alloc(3 * MB, 1, false);
  assert_true((uptr)odd % (64 * MB));
  assert_true(copse_span_free(odd));
  char *even = copse_span_alloc(3 * MB, 64 * MB, false);
  assert_int_equal((uptr)even % (64 * MB), 0);
  void *again = copse_span_alloc(3 * MB, 1, false);
  assert_ptr_equal(again, odd);
  assert_true(copse_span_free(even) && copse_span_free(again) && copse_span_free(pad));
  assert_null(copse_span_alloc(MB, (u64)1 << 63, false));
}

static void zeroed(void **state) {
  (void)state;
  for (unsigned cached = 0; cached < 2; cached++)
    for (u64 size = MB; size <= 24 * MB; size += 7 * MB + 4096) {
      copse_tunables.span_cache = cached ? 64 * MB : 0;
      for (unsigned round = 0; round < 3; round++) {
        void *p = copse_span_alloc(size, 1, true);
        assert_true(zeros(p, size));
        fill(p, copse_span_size(p), 7);
        assert_true(copse_span_free(p));
      }
    }
  /* Where the system will not take pages back, they are cleared. */
  copse_tunables.span_cache = 0;
  copse_span_trim();
  void *p = copse_span_alloc(9 * MB, 1, false);
  fill(p, 9 * MB, 7);
  vm_faults_fail_from(VM_MADVISE, 1);
  assert_true(copse_span_free(p));
  assert_true(copse_span_valid());
  assert_ptr_equal(copse_span_alloc(9 * MB, 1, true), p);
  vm_faults_fail_none();
  assert_true(zeros(p, 9 * MB));
  assert_true(copse_span_free(p));
}

static void cache_fit(void **state) {
  (void)state;
  void *p = copse_span_alloc(10 * MB, 1, false);
  assert_true(copse_span_free(p));
  assert_int_equal(copse_span_counters.cached, 10 * MB);
  assert_int_equal(copse_vm_counters.in_use, 10 * MB);
  vm_faults_reset();
  void *larger = copse_span_alloc(10 * MB + 1, 1, false), *smaller = copse_span_alloc(7 * MB, 1, false);
  assert_true(larger != p && smaller != p);
  assert_true(vm_faults.calls[VM_ANY] > 0);
  vm_faults_reset();
  assert_ptr_equal(copse_span_alloc(8 * MB, 1, false), p); /* 8 + 8/4 */
  assert_int_equal(copse_span_size(p), 10 * MB);
  assert_int_equal(copse_span_counters.cached, 0);
  assert_true(copse_span_free(p));
  /* The closest. */
  assert_true(copse_span_free(larger));
  void *q = copse_span_alloc(9 * MB, 1, false);
  assert_ptr_equal(q, p);
  assert_true(copse_span_free(q) && copse_span_free(smaller));
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
  /* Trim. */
  u64 cached = copse_span_counters.cached;
  assert_true(cached > 27 * MB);
  assert_int_equal(copse_span_trim(), cached);
  assert_int_equal(copse_span_trim(), 0);
  assert_int_equal(copse_vm_counters.in_use, 0);
}

static void cache_bound(void **state) {
  (void)state;
  void *p[80];
  for (unsigned i = 0; i < 4; i++) assert_non_null(p[i] = copse_span_alloc(10 * MB, 1, false));
  for (unsigned i = 0; i < 4; i++) assert_true(copse_span_free(p[i]));
  /* 32 MB hold three; the oldest went. */
  assert_int_equal(copse_span_counters.cached, 30 * MB);
  for (unsigned i = 3; i > 0; i--) assert_ptr_equal(copse_span_alloc(10 * MB, 1, false), p[i]);
  for (unsigned i = 1; i < 4; i++) assert_true(copse_span_free(p[i]));
  /* Larger than the cache: goes itself, and nothing for it. */
  assert_true(copse_span_free(copse_span_alloc(33 * MB, 1, false)));
  assert_int_equal(copse_span_counters.cached, 30 * MB);
  /* Lowered while it is full. */
  copse_tunables.span_cache = 15 * MB;
  assert_true(copse_span_free(copse_span_alloc(MB, 1, false)));
  assert_int_equal(copse_span_counters.cached, 11 * MB);
  copse_tunables.span_cache = 0;
  assert_true(copse_span_free(copse_span_alloc(MB + 4096, 1, false)));
  assert_int_equal(copse_span_counters.cached, 0);
  /* And bounded in number. */
  copse_tunables.span_cache = GB;
  for (unsigned i = 0; i < 80; i++) assert_non_null(p[i] = copse_span_alloc(MB, 1, false));
  for (unsigned i = 0; i < 80; i++) assert_true(copse_span_free(p[i]));
  assert_int_equal(copse_span_counters.cached, 64 * MB);
  assert_true(copse_span_valid());
}

static void limit(void **state) {
  (void)state;
  copse_tunables.limit = 20 * MB;
  void *a = copse_span_alloc(12 * MB, 1, false), *b = copse_span_alloc(8 * MB, 1, false);
  assert_non_null(a);
  assert_non_null(b);
  assert_null(copse_span_alloc(1, 1, false));
  assert_null(copse_span_resize(b, 8 * MB + 1));
  assert_null(copse_span_resize(b, 11 * MB));
  assert_int_equal(copse_span_size(b), 8 * MB);
  assert_int_equal(copse_vm_counters.in_use, 20 * MB);
  /* What is cached counts, and makes way. */
  assert_true(copse_span_free(a));
  assert_int_equal(copse_vm_counters.in_use, 20 * MB);
  void *c = copse_span_alloc(6 * MB, 1, false);
  assert_non_null(c);
  assert_int_equal(copse_vm_counters.in_use, 14 * MB);
  assert_true(copse_span_free(c));
  assert_non_null(b = copse_span_resize(b, 20 * MB));
  assert_null(copse_span_alloc(1, 1, false));
  assert_non_null(copse_span_resize(b, MB));
  assert_int_equal(copse_vm_counters.in_use, MB);
  assert_true(copse_span_free(b));
  assert_null(copse_span_alloc(21 * MB, 1, false));
}

static void resize_in_place(void **state) {
  (void)state;
  char *p = copse_span_alloc(3 * MB, 1, false), *q;
  fill(p, 3 * MB, 5);
  assert_ptr_equal(copse_span_resize(p, 3 * MB), p);
  assert_ptr_equal(copse_span_resize(p, 4 * MB), p); /* in its last granule */
  assert_ptr_equal(copse_span_resize(p, 40 * MB), p);
  assert_true(filled_but_end(p, 3 * MB - 1, 5));
  assert_int_equal(copse_span_size(p), 40 * MB);
  fill(p, 40 * MB, 6);
  assert_ptr_equal(copse_span_resize(p, 9 * MB + 1), p);
  assert_int_equal(copse_span_size(p), 9 * MB + copse_vm_facts.page);
  assert_true(filled_but_end(p, 9 * MB, 6));
  assert_int_equal(copse_vm_counters.in_use, copse_span_size(p));
  /* The tail is free again, its pages are gone, the last granule's too. */
  assert_ptr_equal(q = copse_span_alloc(MB, 1, false), p + 10 * MB);
  assert_int_equal(q[0], 0);
  assert_true(copse_span_free(q));
  assert_true(zeros(p + 9 * MB + copse_vm_facts.page, MB - copse_vm_facts.page));
  assert_ptr_equal(copse_span_resize(p, 1), p);
  assert_int_equal(copse_span_size(p), copse_vm_facts.page);
  assert_null(copse_span_resize(p, 0));
  assert_null(copse_span_resize(p, UINT64_MAX));
  assert_null(copse_span_resize(p, region_spans_size() + 1));
  assert_true(copse_span_valid());
  assert_true(copse_span_free(p));
}

static void resize_by_moving(void **state) {
  (void)state;
  char *p = copse_span_alloc(7 * MB, 1, false), *old;
  void *blocks[12];
  unsigned n = 0;
  fill(p, 7 * MB, 3);
  for (u64 size = 9 * MB; size < 400 * MB; size = size * 3 / 2) {
    /* Something right behind it. */
    blocks[n++] = copse_span_alloc(MB, 1, false);
    for (old = p; copse_span_size(p) < size;) {
      u64 had = copse_span_size(p);
      char *next = copse_span_resize(p, had + MB);
      assert_non_null(next);
      assert_true(filled_but_end(next, had - 512, 3));
      if (next != p) assert_int_equal(copse_span_size(p), 0);
      p = next;
      fill(p, copse_span_size(p), 3);
      assert_true(copse_span_valid());
    }
    (void)old;
  }
  assert_int_equal(copse_vm_counters.in_use, copse_span_size(p) + n * MB);
  assert_true(copse_span_free(p));
  while (n) assert_true(copse_span_free(blocks[--n]));
  /* What was moved from is clean, and usable. */
  assert_true(zeros(old = copse_span_alloc(100 * MB, 1, true), 100 * MB));
  assert_true(copse_span_free(old));
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* From 1 MB to 256 MB in steps of 64 KB, each touched; with and without a neighbour in the way. */
static void growth(void **state) {
  (void)state;
  for (unsigned blocked = 0; blocked < 2; blocked++) {
    u64 size = MB;
    char *p = copse_span_alloc(size, 1, false);
    void *block = blocked ? copse_span_alloc(MB, 1, false) : NULL;
    memset(p, 1, size);
    vm_faults_reset();
    double start = now();
    while (size < 256 * MB) {
      assert_non_null(p = copse_span_resize(p, size + 64 * KB));
      memset(p + size, 1, 64 * KB);
      size += 64 * KB;
    }
    double mine = now() - start;
    print_message("%s: %llu mprotect, %llu madvise, %llu mremap for 128 granules; %.1f ms", blocked ? "blocked" : "free",
                  (unsigned long long)vm_faults.calls[VM_MPROTECT], (unsigned long long)vm_faults.calls[VM_MADVISE],
                  (unsigned long long)vm_faults.calls[VM_MREMAP], mine * 1e3);
    assert_in_range(vm_faults.calls[VM_MPROTECT], 1, 136);
    assert_in_range(vm_faults.calls[VM_MREMAP], 0, 30);
    for (u64 i = 0; i < size; i += 4096) assert_int_equal(p[i], 1);
    assert_true(copse_span_free(p));
    if (block) assert_true(copse_span_free(block));
    /* The kernel's own, as glibc's realloc does it. */
    start = now();
    char *q = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(q, 1, MB);
    for (size = MB; size < 256 * MB; size += 64 * KB) {
      q = mremap(q, size, size + 64 * KB, MREMAP_MAYMOVE);
      memset(q + size, 1, 64 * KB);
    }
    print_message("; mremap alone %.1f ms\n", (now() - start) * 1e3);
    munmap(q, size);
  }
}

/* Access once given stays: to reuse granules costs no second mprotect. */
static void reuse_keeps_access(void **state) {
  (void)state;
  copse_tunables.span_cache = 0;
  copse_tunables.huge = 0;
  void *p = copse_span_alloc(6 * MB, 1, false);
  fill(p, 6 * MB, 1);
  assert_true(copse_span_free(p));
  vm_faults_reset();
  void *q = copse_span_alloc(6 * MB, 1, true);
  assert_ptr_equal(p, q);
  assert_int_equal(vm_faults.calls[VM_ANY], 0);
  assert_true(zeros(q, 6 * MB));
  assert_true(copse_span_free(q));
}

static void transparent_huge_pages(void **state) {
  (void)state;
  copse_tunables.span_cache = 0;
  copse_span_trim();
  struct vm_facts facts = copse_vm_facts;
  copse_vm_facts.huge = 2 * MB;
  copse_vm_facts.huge_always = false;
  void *pad = copse_span_alloc(5 * GB, 1, false); /* behind it nothing was advised yet */
  u64 advised = copse_vm_counters.huge_advised;
  void *p = copse_span_alloc(7 * MB, 1, false); /* three whole granules; the fourth would waste half a page */
  assert_int_equal(copse_vm_counters.huge_advised - advised, 6 * MB);
  assert_ptr_equal(copse_span_resize(p, 15 * MB), p);
  assert_int_equal(copse_vm_counters.huge_advised - advised, 14 * MB);
  assert_ptr_equal(copse_span_resize(p, 17 * MB), p); /* large enough to waste one */
  assert_int_equal(copse_vm_counters.huge_advised - advised, 18 * MB);
  assert_true(copse_span_free(p));
  /* Where it was advised once, a small span gets its mapping renewed. */
  vm_faults_reset();
  void *q = copse_span_alloc(MB, 1, false);
  assert_ptr_equal(p, q);
  assert_int_equal(vm_faults.calls[VM_MMAP], 1);
  assert_true(copse_span_free(q) && copse_span_free(pad));
  copse_tunables.huge = 0;
  vm_faults_reset();
  assert_true(copse_span_free(copse_span_alloc(6 * GB, 1, false)));
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++) assert_true(vm_faults.log[i].advice != MADV_HUGEPAGE);
  /* A system that gives them unasked: not to a granule that is half full. */
  copse_tunables.huge = 1;
  copse_vm_facts.huge_always = true;
  vm_faults_reset();
  p = copse_span_alloc(3 * MB, 1, false);
  const struct vm_record *last = &vm_faults.log[vm_faults.calls[VM_ANY] - 1];
  assert_int_equal(last->advice, MADV_NOHUGEPAGE);
  assert_ptr_equal(last->address, (char *)p + 2 * MB);
  assert_true(copse_span_free(p));
  copse_vm_facts = facts;
}

static int begin(void **state) {
  (void)state;
  return span_begin((u64)1 << 38) ? 0 : -1;
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    TEST(take_and_free), TEST(foreign_pointers), TEST(alignment), TEST(zeroed), TEST(cache_fit), TEST(cache_bound),
    TEST(limit), TEST(resize_in_place), TEST(resize_by_moving), TEST(growth), TEST(reuse_keeps_access),
    TEST(transparent_huge_pages),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
