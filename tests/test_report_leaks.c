/* SPDX-License-Identifier: MIT */
/* What is listed as never freed: by stacks, the most bytes first, and at most so many of them. */
#define THIS_TEST "test_report_leaks"
#include "report_help.h"

#if INSTRUMENTED

KEPT static void leak_here(void) {
  hide = allocate_it(300);
  after++;
}
KEPT static void leak_there(void) {
  hide = allocate_it(20);
  after++;
}

static int leak(void *unused) {
  (void)unused;
  volatile unsigned three = 3, five = 5; /* one call each, whatever the compiler thinks of loops */
  for (unsigned i = 0; i < three; i++) leak_here();
  for (unsigned i = 0; i < five; i++) leak_there();
  hide = allocate_it((size_t)3 << 20);
  free_it(allocate_it(64), 64);
  u64 n = copse_report_leaks();
  /* And again, the same. */
  return n == 9 && copse_report_leaks() == 9 ? 0 : 1;
}

static void test_leaks(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(leak, NULL, said, sizeof said), 0);
  const char *at = said;
  next_is(&at, "copse: never freed: 3146728 bytes in 9 blocks\n");
  next_is(&at, "  3145728 bytes in 1 blocks, allocated here:\n");
  next_frame(&at, "leak");
  next_is(&at, "  900 bytes in 3 blocks, allocated here:\n");
  next_frame(&at, "leak_here");
  next_is(&at, "  100 bytes in 5 blocks, allocated here:\n");
  next_frame(&at, "leak_there");
  assert_int_equal(count_of(said, " blocks, allocated here"), 6);
}

/* As many different stacks as there are paths: of the smallest amounts, one each. */
KEPT static void leak_along(unsigned path, unsigned steps);
KEPT static void leak_left(unsigned path, unsigned steps) {
  leak_along(path, steps);
  after++;
}
KEPT static void leak_right(unsigned path, unsigned steps) {
  leak_along(path, steps);
  after += 2; /* compilers make one function of two that are alike */
}
KEPT static void leak_along(unsigned path, unsigned steps) {
  if (!steps)
    hide = allocate_it(100 + path);
  else if (path >> (steps - 1) & 1)
    leak_right(path, steps - 1);
  else
    leak_left(path, steps - 1);
  after++;
}

static int leaks_of_many(void *unused) {
  (void)unused;
  volatile unsigned paths = 64; /* of which 50 are printed */
  for (unsigned path = 0; path < paths; path++) leak_along(path, 6);
  return copse_report_leaks() == 64 ? 0 : 1;
}

static void test_leaks_of_many_stacks(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(leaks_of_many, NULL, said, sizeof said), 0);
  const char *at = said;
  next_is(&at, "copse: never freed: 8416 bytes in 64 blocks\n");
  next_is(&at, "  163 bytes in 1 blocks, allocated here:\n");
  next_frame(&at, "leak_along");
  next_frame(&at, "leak_right");
  assert_int_equal(count_of(said, " blocks, allocated here"), 50);
  /* 100 to 113 bytes. */
  assert_non_null(strstr(said, "\n  1491 bytes in 14 blocks, allocated elsewhere\n"));
}

static int no_leak(void *unused) {
  free_it(allocate_it(64), 64);
  return unused != NULL || copse_report_leaks() != 0;
}

static void test_no_leaks(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(no_leak, NULL, said, sizeof said), 0);
  assert_string_equal(said, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_leaks),
    cmocka_unit_test(test_leaks_of_many_stacks),
    cmocka_unit_test(test_no_leaks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release says nothing");
  return 0;
}

#endif
