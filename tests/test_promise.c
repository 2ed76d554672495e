/* SPDX-License-Identifier: MIT */
/*
 * A bundle of a class is a promise of size and alignment.  Resizing in place and borrowing put slots of larger classes in
 * it, by way of a free whose size is a constant: those must keep it too.
 */
#include "copse-inline.h"
#include "region.h"
#include "size_class.h"
#include "tune.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Freed by class, as copse_inline_free does with a constant size. */
static void free_by_class(void *p, size_t size) { (void)size; copse_hot_free_by_address_(p); }

/* Beneath the guard of the instrumented library as well, which asks for more than it is asked for. */
static void *alloc_of_class(size_t size) { return class_hot_alloc(size); }

static void free_as(void *p, size_t size) {
#ifdef COPSE_INSTRUMENTED
  copse_free(p, size);
#else
  free_by_class(p, size);
#endif
}

static void check_class(unsigned class) {
  void *p[128];
  unsigned n = (unsigned)min_u64(128, ((u64)2 << 20) / class_size(class));
  for (unsigned i = 0; i < n; i++) {
    p[i] = alloc_of_class(class_size(class));
    assert_non_null(p[i]);
    assert_true(region_of(p[i]) < region_spans());
    assert_true(class_size((unsigned)region_of(p[i])) >= class_size(class));
    assert_int_equal((uptr)p[i] & (class_alignment(class) - 1), 0);
  }
  for (unsigned i = 0; i < n; i++) copse_hot_free_by_address_(p[i]);
}

/* From every class, to every size that matters: one, exactly, and one more than each class below. */
static void resize_keeps_the_promise(void **state) {
  (void)state;
  for (unsigned from = 0; from < CLASSES; from += from < 40 ? 1 : 3)
    for (unsigned to = 0; to <= from; to++)
      for (unsigned usable = 0; usable < 2; usable++) {
        void *p = copse_alloc(class_size(from));
        assert_non_null(p);
        memset(p, 42, 16);
        p = copse_realloc(p, class_size(from), class_size(to));
        assert_non_null(p);
        assert_int_equal(*(char *)p, 42);
        assert_true(copse_usable_size(p) >= class_size(to));
        free_as(p, usable ? copse_usable_size(p) : class_size(to));
      }
  for (unsigned class = 0; class < CLASSES; class++) check_class(class);
}

static void spans_never_enter_a_bundle(void **state) {
  (void)state;
  void *p = copse_alloc(COPSE_CLASS_SIZE_MAX * 3 / 2);
  assert_non_null(p);
  p = copse_realloc(p, COPSE_CLASS_SIZE_MAX * 3 / 2, COPSE_CLASS_SIZE_MAX - 1);
  assert_non_null(p);
  free_as(p, COPSE_CLASS_SIZE_MAX - 1);
  p = copse_alloc_aligned(100, (size_t)4 << 20);
  assert_non_null(p);
  assert_int_equal((uptr)p & (((uptr)4 << 20) - 1), 0);
  p = copse_realloc(p, 100, 3000);
  assert_non_null(p);
  free_as(p, 3000);
  copse_thread_flush();
  for (unsigned class = 0; class < CLASSES; class++) check_class(class);
}

/* The regions are 8 MB. */
static void borrowed_slots_keep_the_promise(void **state) {
  (void)state;
  enum { MOST = 400000 };
  static void *p[MOST];
  static const size_t sizes[] = {64, 48, 128, 96, 4096};
  for (unsigned s = 0; s < 5; s++) {
    unsigned n = 0, borrowed = 0;
    while (n < MOST && (p[n] = alloc_of_class(sizes[s]))) {
      unsigned region = (unsigned)region_of(p[n]);
      assert_int_equal((uptr)p[n] & (class_alignment(class_of_size(sizes[s])) - 1), 0);
      borrowed += region != class_of_size(sizes[s]);
      n++;
    }
    assert_true(borrowed > 0);
    /* Any size up to the usable one may be named. */
    while (n--) {
      size_t usable = class_size((unsigned)region_of(p[n])), power = (size_t)1 << highest_bit(usable);
      free_by_class(p[n], n % 3 == 0 ? sizes[s] : n % 3 == 1 ? usable : max_u64(power, sizes[s]));
    }
    for (unsigned class = 0; class < 40; class++) check_class(class);
    copse_thread_flush();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(borrowed_slots_keep_the_promise),
    cmocka_unit_test(resize_keeps_the_promise),
    cmocka_unit_test(spans_never_enter_a_bundle),
  };
  if (copse_tune_set("reserve", (u64)1 << 29) != 0) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
