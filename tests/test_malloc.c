/* SPDX-License-Identifier: MIT */
/*
 * What each function of the malloc family promises by POSIX, C23 and glibc: results, errors, errno, alignment,
 * contents. It is linked with the drop-in, or run with it preloaded, and first makes sure that it is: with
 * COPSE_TEST_ANY_MALLOC set it takes any malloc, to see what the test thinks of another one.
 *
 * Threads, fork and the like are in test_malloc_process.c.
 */
#include "test_malloc.h"

#include <dlfcn.h>
#include <unistd.h>

/* Sizes that matter: the edges of the classes (16-byte steps to 128, four a doubling to 1 MB), and spans. */
static size_t edge_sizes(size_t out[], size_t room) {
  size_t n = 0;
  for (size_t size = 0; size <= 128 && n < room; size++) out[n++] = size;
  for (size_t base = 128; base <= ((size_t)4 << 20); base *= 2) {
    for (unsigned quarter = 1; quarter <= 4; quarter++) {
      size_t edge = base + base / 4 * quarter;
      for (size_t size = edge - 1; size <= edge + 1 && n < room; size++) out[n++] = size;
    }
  }
  return n;
}

#define EDGES 512

/* ------------------------------------------------------------------ who serves us */

#define NAME(function)                                                                                                 \
  { #function, (void *)(uintptr_t)(function) }

static void test_family_is_copse(void **state) {
  (void)state;
  static const struct {
    const char *name;
    void *address;
  } family[] = {
      NAME(malloc),
      NAME(calloc),
      NAME(realloc),
      NAME(free),
      NAME(posix_memalign),
      NAME(memalign),
      NAME(valloc),
      NAME(pvalloc),
      NAME(cfree),
      NAME(free_sized),
      NAME(free_aligned_sized),
      NAME(malloc_usable_size),
      NAME(malloc_trim),
      NAME(mallopt),
      NAME(mallinfo),
      NAME(mallinfo2),
      NAME(malloc_stats),
      NAME(malloc_info),
      NAME(aligned_alloc),
  };
  for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
    Dl_info info;
    if (!family[i].address && any_malloc()) continue;
    assert_non_null(family[i].address);
    assert_int_not_equal(dladdr(family[i].address, &info), 0);
    if (any_malloc() || strstr(info.dli_fname, "libcopse-malloc")) continue;
    fail_msg("%s comes from %s, not from copse", family[i].name, info.dli_fname);
  }
}

/* ------------------------------------------------------------------ malloc and free */

static void test_malloc_zero_is_unique(void **state) {
  (void)state;
  enum { N = 500 };
  void *ptr[N];
  for (size_t i = 0; i < N; i++) {
    ptr[i] = hide(malloc(0));
    assert_non_null(ptr[i]);
    for (size_t k = 0; k < i; k++) assert_ptr_not_equal(ptr[i], ptr[k]);
  }
  for (size_t i = 0; i < N; i++) free(ptr[i]);
}

/* All at once are live, filled to their usable size and checked: nothing overlaps. */
static void test_malloc_edges(void **state) {
  (void)state;
  size_t size[EDGES];
  size_t n = edge_sizes(size, EDGES);
  unsigned char *ptr[EDGES];
  for (size_t i = 0; i < n; i++) {
    ptr[i] = hide(malloc(size[i]));
    assert_non_null(ptr[i]);
    assert_aligned(ptr[i], 16);
    assert_true(malloc_usable_size(ptr[i]) >= size[i]);
    fill(ptr[i], malloc_usable_size(ptr[i]), i);
  }
  for (size_t i = 0; i < n; i++) assert_filled(ptr[i], malloc_usable_size(ptr[i]), i);
  for (size_t i = 0; i < n; i++) free(ptr[i]);
}

/* Promised by copse beyond the standards. */
static void test_malloc_power_of_two_alignment(void **state) {
  (void)state;
  for (size_t size = 16; size <= 4096 && !any_malloc(); size *= 2) {
    void *ptr[8];
    for (size_t i = 0; i < 8; i++) assert_aligned(ptr[i] = hide(malloc(size)), size);
    for (size_t i = 0; i < 8; i++) free(ptr[i]);
  }
}

static void test_free_null(void **state) {
  (void)state;
  errno = EDOM;
  for (unsigned i = 0; i < 1000; i++) free(hide(NULL));
  cfree(hide(NULL));
  free_sized(hide(NULL), 10);
  free_aligned_sized(hide(NULL), 64, 128);
  assert_int_equal(errno, EDOM);
}

/* Every way to free, at every edge, and enough of them that bundles and pages go back. */
static void test_free_keeps_errno(void **state) {
  (void)state;
  size_t size[EDGES];
  size_t n = edge_sizes(size, EDGES);
  for (size_t i = 0; i < n; i++) {
    enum { EACH = 12 };
    void *ptr[EACH];
    for (unsigned k = 0; k < EACH; k++)
      assert_non_null(ptr[k] = k % 3 < 2 ? malloc(size[i]) : aligned_alloc(64, size[i]));
    errno = ENOTTY;
    for (unsigned k = 0; k < EACH; k += 3) {
      free(hide(ptr[k]));
      free_sized(hide(ptr[k + 1]), size[i]);
      free_aligned_sized(hide(ptr[k + 2]), 64, size[i]);
    }
    assert_int_equal(errno, ENOTTY);
  }
}

static void test_cfree_frees(void **state) {
  (void)state;
  if (!cfree) skip();
  errno = ENOTTY;
  for (unsigned i = 0; i < 1000; i++) {
    cfree(hide(malloc(100)));
    cfree(hide(calloc(100, 100)));
    cfree(hide(aligned_alloc(256, 2000000)));
  }
  assert_int_equal(errno, ENOTTY);
}

/* ------------------------------------------------------------------ calloc */

static void test_calloc_zeroes_used_memory(void **state) {
  (void)state;
  size_t size[EDGES];
  size_t n = edge_sizes(size, EDGES);
  for (size_t i = 0; i < n; i++) {
    unsigned char *ptr[4];
    for (unsigned k = 0; k < 4; k++) {
      assert_non_null(ptr[k] = hide(malloc(size[i])));
      memset(ptr[k], 0xA5, malloc_usable_size(ptr[k]));
    }
    for (unsigned k = 0; k < 4; k++) free(hide(ptr[k]));
    for (unsigned k = 0; k < 4; k++) {
      assert_non_null(ptr[k] = hide(calloc(size[i] ? 1 : 0, size[i])));
      assert_aligned(ptr[k], 16);
      assert_true(is_zero(ptr[k], size[i]));
    }
    for (unsigned k = 0; k < 4; k++) free(ptr[k]);
  }
}

/* ------------------------------------------------------------------ realloc */

static void test_realloc_null_and_zero(void **state) {
  (void)state;
  void *ptr = hide(realloc(hide(NULL), 100));
  assert_non_null(ptr);
  errno = EDOM;
  assert_null(hide(realloc(ptr, opaque(0))));
  assert_int_equal(errno, EDOM);
  assert_non_null(ptr = hide(realloc(hide(NULL), opaque(0))));
  free(ptr);
  assert_non_null(ptr = hide(reallocarray(hide(NULL), opaque(0), 8)));
  assert_null(hide(reallocarray(ptr, 8, opaque(0))));
}

static void test_realloc_keeps_contents(void **state) {
  (void)state;
  size_t size[EDGES];
  size_t n = edge_sizes(size, EDGES);
  for (size_t i = 1; i < n; i += 3) {
    for (size_t k = 1; k < n; k += 17) {
      unsigned char *ptr = hide(malloc(size[i]));
      assert_non_null(ptr);
      fill(ptr, size[i], k);
      assert_non_null(ptr = hide(realloc(ptr, size[k])));
      assert_aligned(ptr, 16);
      assert_true(malloc_usable_size(ptr) >= size[k]);
      assert_filled(ptr, size[i] < size[k] ? size[i] : size[k], k);
      memset(ptr, 0x5A, malloc_usable_size(ptr));
      free(ptr);
    }
  }
}

/* Grows byte by byte, then by half as much again, to where pages are remapped; then shrinks; a neighbour stays whole.
 */
static void test_realloc_growth(void **state) {
  (void)state;
  unsigned char *neighbour = hide(malloc(1000)), *ptr = hide(malloc(1));
  fill(neighbour, 1000, 3);
  size_t size = 1;
  ptr[0] = pattern(5, 0);
  while (size < ((size_t)40 << 20)) {
    size_t more = size < 600 ? size + 1 : size + size / 2;
    assert_non_null(ptr = hide(realloc(ptr, more)));
    assert_filled(ptr, size, 5);
    fill(ptr, more, 5);
    size = more;
  }
  for (; size > 10; size /= 3) {
    assert_non_null(ptr = hide(realloc(ptr, size)));
    assert_filled(ptr, size, 5);
  }
  assert_filled(neighbour, 1000, 3);
  free(ptr);
  free(neighbour);
}

/* Any function's block may be resized; only the alignment may go. */
static void test_realloc_of_aligned(void **state) {
  (void)state;
  for (size_t alignment = 32; alignment <= ((size_t)1 << 22); alignment *= 4) {
    for (size_t size = 1; size <= 3000000; size = size * 7 + 1) {
      unsigned char *ptr = hide(memalign(alignment, 100));
      assert_non_null(ptr);
      fill(ptr, 100, size);
      assert_non_null(ptr = hide(realloc(ptr, size)));
      assert_filled(ptr, size < 100 ? size : 100, size);
      free(ptr);
    }
  }
}

/* ------------------------------------------------------------------ too much */

static void test_too_large(void **state) {
  (void)state;
  static const size_t size[] = {PTRDIFF_MAX,
                                (size_t)PTRDIFF_MAX + 1,
                                (size_t)PTRDIFF_MAX + 4096,
                                SIZE_MAX - 70000,
                                SIZE_MAX - 4096,
                                SIZE_MAX - 15,
                                SIZE_MAX - 1,
                                SIZE_MAX};
  unsigned char *block = hide(malloc(3000));
  fill(block, 3000, 1);
  for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
    size_t big = opaque(size[i]);
    assert_fails(ENOMEM, malloc(big));
    assert_fails(ENOMEM, calloc(1, big));
    assert_fails(ENOMEM, calloc(big, 1));
    assert_fails(ENOMEM, realloc(hide(block), big));
    assert_fails(ENOMEM, realloc(hide(NULL), big));
    assert_fails(ENOMEM, reallocarray(hide(block), 1, big));
    assert_fails(ENOMEM, aligned_alloc(16, big));
    assert_fails(ENOMEM, aligned_alloc(4096, big));
    assert_fails(ENOMEM, memalign(64, big));
    assert_fails(ENOMEM, memalign(8, big));
    assert_fails(ENOMEM, valloc(big));
    assert_fails(ENOMEM, pvalloc(big));
    void *result = block;
    errno = EDOM;
    assert_int_equal(posix_memalign(&result, 64, big), ENOMEM);
    assert_int_equal(errno, EDOM);
    assert_ptr_equal(result, block);
  }
  assert_filled(block, 3000, 1); /* the failed reallocs left it */
  free(block);
  free(hide(malloc(10))); /* failure is not sticky */
}

static void test_products_overflow(void **state) {
  (void)state;
  static const size_t factor[][2] = {{SIZE_MAX / 2 + 1, 2},   {2, SIZE_MAX / 2 + 1},
                                     {SIZE_MAX, SIZE_MAX},    {(size_t)1 << 32, (size_t)1 << 32},
                                     {SIZE_MAX / 16 + 1, 16}, {((size_t)1 << 32) + 1, ((size_t)1 << 32)}};
  unsigned char *block = hide(malloc(100));
  fill(block, 100, 9);
  for (size_t i = 0; i < sizeof factor / sizeof *factor; i++) {
    size_t a = opaque(factor[i][0]), b = opaque(factor[i][1]);
    assert_fails(ENOMEM, calloc(a, b));
    assert_fails(ENOMEM, reallocarray(hide(block), a, b));
    assert_fails(ENOMEM, reallocarray(hide(NULL), a, b));
  }
  assert_filled(block, 100, 9);
  assert_non_null(block = hide(reallocarray(block, 100, 7)));
  assert_filled(block, 100, 9);
  assert_true(malloc_usable_size(block) >= 700);
  free(block);
}

/* ------------------------------------------------------------------ aligned */

#define ALIGNMENT_MAX ((size_t)1 << 30)

static void test_alignments(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 16, 17, 100, 4096, 5000, 70000, 1 << 20, (1 << 20) + 1, 3 << 20};
  for (size_t alignment = 1; alignment <= ALIGNMENT_MAX; alignment *= 2) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      size_t size = sizes[i];
      unsigned char *ptr[4] = {NULL};
      assert_non_null(ptr[0] = hide(aligned_alloc(opaque(alignment), size)));
      assert_non_null(ptr[1] = hide(memalign(opaque(alignment), size)));
      if (alignment >= sizeof(void *)) {
        errno = EDOM;
        assert_int_equal(posix_memalign((void **)&ptr[2], opaque(alignment), size), 0);
        assert_int_equal(errno, EDOM);
        assert_non_null(ptr[2]);
      }
      assert_non_null(ptr[3] = hide(aligned_alloc(opaque(alignment), size)));
      for (unsigned k = 0; k < 4; k++) {
        assert_aligned(ptr[k], alignment);
        if (ptr[k]) assert_true(malloc_usable_size(ptr[k]) >= size);
        if (ptr[k]) fill(ptr[k], size, k);
      }
      for (unsigned k = 0; k < 4; k++) {
        if (ptr[k]) assert_filled(ptr[k], size, k);
      }
      for (unsigned k = 0; k < 3; k++) free(ptr[k]);
      free_aligned_sized(ptr[3], alignment, size);
    }
  }
}

static void test_alignments_refused(void **state) {
  (void)state;
  static const size_t crooked[] = {0, 3, 24, 48, 4095, 4097, ALIGNMENT_MAX + 16, SIZE_MAX, SIZE_MAX - 1};
  for (size_t i = 0; i < sizeof crooked / sizeof *crooked; i++) {
    void *result = state;
    assert_fails(EINVAL, aligned_alloc(opaque(crooked[i]), 10));
    errno = EDOM;
    assert_int_equal(posix_memalign(&result, opaque(crooked[i]), 10), EINVAL);
    assert_ptr_equal(result, state);
    assert_int_equal(errno, EDOM);
  }
  for (size_t alignment = 1; alignment < sizeof(void *); alignment *= 2) {
    void *result = state;
    assert_int_equal(posix_memalign(&result, opaque(alignment), 10), EINVAL);
    assert_ptr_equal(result, state);
  }
  for (size_t alignment = ALIGNMENT_MAX * 2; alignment && !any_malloc(); alignment *= 2) {
    void *result = state;
    assert_fails(ENOMEM, aligned_alloc(opaque(alignment), 10));
    assert_fails(ENOMEM, memalign(opaque(alignment), 10));
    assert_int_equal(posix_memalign(&result, opaque(alignment), 10), ENOMEM);
    assert_ptr_equal(result, state);
  }
  assert_fails(EINVAL, memalign(opaque(SIZE_MAX / 2 + 2), 10));
  assert_fails(EINVAL, memalign(opaque(SIZE_MAX), 10));
}

static void test_memalign_rounds_up(void **state) {
  (void)state;
  for (size_t alignment = 0; alignment < 10000; alignment += 1 + alignment / 7) {
    size_t rounded = 16;
    while (rounded < alignment) rounded *= 2;
    void *ptr[3];
    for (unsigned i = 0; i < 3; i++) assert_aligned(ptr[i] = hide(memalign(alignment, 40)), rounded);
    for (unsigned i = 0; i < 3; i++) assert_non_null(ptr[i]);
    for (unsigned i = 0; i < 3; i++) free(ptr[i]);
  }
}

static void test_valloc_and_pvalloc(void **state) {
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t size = 0; size < 4 * page; size += 1 + size / 3) {
    void *plain = hide(valloc(size)), *whole = hide(pvalloc(size));
    assert_non_null(plain);
    assert_non_null(whole);
    assert_aligned(plain, page);
    assert_aligned(whole, page);
    size_t pages = (size + page - 1) / page;
    assert_true(malloc_usable_size(whole) >= pages * page || any_malloc());
    if (!any_malloc()) assert_true(malloc_usable_size(whole) >= page);
    free(plain);
    free(whole);
  }
}

static void test_usable_size_of_null(void **state) {
  (void)state;
  assert_int_equal(malloc_usable_size(hide(NULL)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_family_is_copse),
      cmocka_unit_test(test_malloc_zero_is_unique),
      cmocka_unit_test(test_malloc_edges),
      cmocka_unit_test(test_malloc_power_of_two_alignment),
      cmocka_unit_test(test_free_null),
      cmocka_unit_test(test_free_keeps_errno),
      cmocka_unit_test(test_cfree_frees),
      cmocka_unit_test(test_calloc_zeroes_used_memory),
      cmocka_unit_test(test_realloc_null_and_zero),
      cmocka_unit_test(test_realloc_keeps_contents),
      cmocka_unit_test(test_realloc_growth),
      cmocka_unit_test(test_realloc_of_aligned),
      cmocka_unit_test(test_too_large),
      cmocka_unit_test(test_products_overflow),
      cmocka_unit_test(test_alignments),
      cmocka_unit_test(test_alignments_refused),
      cmocka_unit_test(test_memalign_rounds_up),
      cmocka_unit_test(test_valloc_and_pvalloc),
      cmocka_unit_test(test_usable_size_of_null),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
