/* SPDX-License-Identifier: MIT */
/* The limit counts what may have pages: memory that is free in one class, or cached, must not keep another from its share. */
#include "copse.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "process.h"

enum { LIMIT = 64 << 20, SHARE = 48 << 20, MOST = SHARE / 64 };

static void *objects[MOST];

/* Allocates SHARE bytes in objects of `size`, and frees them. */
static unsigned fill(size_t size) {
  unsigned n = 0;
  while (n < SHARE / size && (objects[n] = copse_alloc(size - EXTRA))) n++;
  for (unsigned i = 0; i < n; i++) copse_free(objects[i], size - EXTRA);
  return n;
}

static void each_size_gets_its_share(void **state) {
  (void)state;
  static const size_t sizes[] = {64, 1024, 8192, 131072, 4 << 20, 512, 1 << 20, 64, 16 << 20, 4096};
  for (unsigned cooldown = 0; cooldown <= 100; cooldown += 100) {
    assert_int_equal(copse_tune_set("cooldown", cooldown), 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      unsigned n = fill(sizes[i]);
      printf("# %zu bytes: %u of %zu\n", sizes[i], n, SHARE / sizes[i]);
      assert_int_equal(n, SHARE / sizes[i]);
    }
  }
  struct copse_stats stats;
  copse_stats(&stats);
  assert_true(stats.in_use <= LIMIT);
}

static void beyond_it_is_enomem(void **state) {
  (void)state;
  errno = 0;
  assert_null(copse_alloc(LIMIT + 1));
  assert_int_equal(errno, ENOMEM);
  void *p = copse_alloc(SHARE);
  assert_non_null(p);
  errno = 0;
  assert_null(copse_alloc(SHARE));
  assert_int_equal(errno, ENOMEM);
  copse_free(p, SHARE);
  p = copse_alloc(SHARE);
  assert_non_null(p);
  copse_free(p, SHARE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_size_gets_its_share),
    cmocka_unit_test(beyond_it_is_enomem),
  };
  if (copse_tune_set("limit", LIMIT) != 0) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
