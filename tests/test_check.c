/* SPDX-License-Identifier: MIT */
/* Checks: in the instrumented library one line on stderr and an abort; in release nothing, not even their arguments. */
#include "core.h"
#include "check.h"

static unsigned looked;
__attribute__((unused)) static bool look(bool answer) {
  looked++;
  return answer;
}

static void test_what_holds_is_silent(void **state) {
  (void)state;
  looked = 0;
  must(look(true));
  assert_int_equal(looked, INSTRUMENTED ? 1 : 0);
}

#if INSTRUMENTED

static char said[1000];

static unsigned lines(const char *text) {
  unsigned n = 0;
  for (; *text; text++) n += *text == '\n';
  return n;
}

static int break_must(void *argument) {
  must(argument == said);
  return 0;
}

static void test_must(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(break_must, NULL, said, sizeof said), -SIGABRT);
  assert_non_null(strstr(said, "copse: broken invariant: argument == said at "));
  assert_non_null(strstr(said, "test_check.c:"));
  assert_int_equal(lines(said), 1);
}

static int broken(void *argument) { copse_broken(argument, "file.c", 3); }

static void test_one_line_however_long(void **state) {
  (void)state;
  char message[400];
  for (size_t length = 0; length < sizeof message; length++) {
    memset(message, 'x', length);
    message[length] = 0;
    if (length > 120 && length < 300 && length % 7) continue;
    assert_int_equal(in_child_saying(broken, message, said, sizeof said), -SIGABRT);
    assert_int_equal(lines(said), 1);
    assert_int_equal(said[strlen(said) - 1], '\n');
    if (length < 150) assert_non_null(strstr(said, " at file.c:3\n"));
    length += 12;
  }
}

static int broken_without_stderr(void *argument) {
  close(STDERR_FILENO);
  copse_broken(argument, "file.c", 3);
}

static void test_aborts_with_nowhere_to_say_it(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(broken_without_stderr, "x", said, sizeof said), -SIGABRT);
  assert_string_equal(said, "");
}

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_holds_is_silent),
#if INSTRUMENTED
    cmocka_unit_test(test_must),
    cmocka_unit_test(test_one_line_however_long),
    cmocka_unit_test(test_aborts_with_nowhere_to_say_it),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
