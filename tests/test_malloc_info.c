/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in answers: malloc_trim, mallopt, mallinfo, malloc_stats, malloc_info, and the summary at exit.
 */
#include "test_malloc.h"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OBJECTS = 20000, SIZE = 200, SPAN = 5 << 20 };

static void *object[OBJECTS];

static void objects_make(void) {
  for (unsigned i = 0; i < OBJECTS; i++) assert_non_null(object[i] = hide(malloc(SIZE)));
}

static void objects_free(void) {
  for (unsigned i = 0; i < OBJECTS; i++) free(object[i]);
}

/* What is live grows by what is allocated, and comes down again; spans are counted apart. */
static void test_mallinfo_follows(void **state) {
  (void)state;
  struct mallinfo2 before = mallinfo2();
  objects_make();
  char *span = hide(malloc(SPAN));
  struct mallinfo2 full = mallinfo2();
  assert_true(full.uordblks >= before.uordblks + OBJECTS * SIZE);
  assert_true(full.uordblks <= before.uordblks + OBJECTS * SIZE * 2);
  assert_int_equal(full.hblks, before.hblks + 1);
  assert_true(full.hblkhd >= before.hblkhd + SPAN);
  assert_true(full.arena >= full.uordblks);
  objects_free();
  free(span);
  if (is_instrumented()) malloc_trim(0);
  struct mallinfo2 after = mallinfo2();
  assert_true(after.uordblks + OBJECTS * SIZE <= full.uordblks);
  assert_int_equal(after.hblks, before.hblks);
  assert_true(after.fordblks >= OBJECTS * SIZE / 2);
  assert_true(after.fsmblks <= after.fordblks);
}

static void test_mallinfo_is_the_same_in_ints(void **state) {
  (void)state;
  struct mallinfo2 wide = mallinfo2();
  struct mallinfo narrow = mallinfo();
  assert_true((size_t)narrow.uordblks == wide.uordblks || narrow.uordblks == INT32_MAX);
  assert_true((size_t)narrow.arena == wide.arena || narrow.arena == INT32_MAX);
  assert_true((size_t)narrow.hblks == wide.hblks);
}

static void test_trim(void **state) {
  (void)state;
  int gave = 0;
  for (unsigned round = 0; round < 8; round++) {
    objects_make();
    memset(object[0], 1, SIZE);
    objects_free();
    errno = EDOM;
    for (unsigned again = 0; again < 4; again++) {
      int answer = malloc_trim(0);
      assert_true(answer == 0 || answer == 1);
      gave += answer;
    }
    assert_int_equal(errno, EDOM);
  }
  assert_true(gave > 0 || any_malloc());
}

static void test_mallopt(void **state) {
  (void)state;
  static const int hint[] = {M_MMAP_THRESHOLD, M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD, M_ARENA_MAX, M_MXFAST};
  for (size_t i = 0; i < sizeof hint / sizeof *hint; i++) assert_int_equal(mallopt(hint[i], 64), 1);
  /* The default, by mallopt(3): no limit. */
  assert_int_equal(mallopt(M_ARENA_MAX, 0), 1);
  assert_int_equal(mallopt(M_ARENA_TEST, 0), 1);
  assert_int_equal(mallopt(M_MXFAST, 100000), 0);
  if (any_malloc()) return; /* glibc has no test of the number, and does M_PERTURB */
  assert_int_equal(mallopt(M_PERTURB, 5), 0);
  assert_int_equal(mallopt(12345, 0), 0);
}

/* ------------------------------------------------------------------ texts */

static unsigned count(const char *text, const char *word) {
  unsigned n = 0;
  for (; (text = strstr(text, word)); text++) n++;
  return n;
}

static void test_malloc_info_is_xml(void **state) {
  (void)state;
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  assert_non_null(file);
  assert_int_not_equal(malloc_info(1, file), 0);
  fflush(file);
  assert_int_equal(length, 0);
  objects_make();
  assert_int_equal(malloc_info(0, file), 0);
  objects_free();
  fclose(file);
  assert_memory_equal(text, "<malloc version=", 16);
  assert_non_null(strstr(text, "</malloc>\n"));
  assert_int_equal(count(text, "<heap"), count(text, "</heap>"));
  assert_int_equal(count(text, "<sizes>"), count(text, "</sizes>"));
  assert_int_equal(count(text, "\"") % 2, 0);
  if (!any_malloc()) assert_int_equal(count(text, "<"), count(text, "</") * 2 + count(text, "/>"));
  free(text);
}

/* Runs `action` in a child with stderr in a pipe, and says what it wrote. */
static size_t stderr_of(void (*action)(void), char *out, size_t room) {
  int ends[2], status;
  size_t length = 0;
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    dup2(ends[1], STDERR_FILENO);
    action();
    _exit(0);
  }
  close(ends[1]);
  for (ssize_t n; (n = read(ends[0], out + length, room - 1 - length)) > 0;) length += (size_t)n;
  out[length] = 0;
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  return length;
}

static void test_malloc_stats_is_readable(void **state) {
  (void)state;
  static char text[16384];
  objects_make();
  size_t length = stderr_of(malloc_stats, text, sizeof text);
  objects_free();
  assert_true(length > 100);
  assert_int_equal(text[length - 1], '\n');
  if (any_malloc()) return;
  char start[64];
  snprintf(start, sizeof start, "%.31s[", program_invocation_short_name);
  assert_memory_equal(text, start, strlen(start));
  assert_int_equal(count(text, start), count(text, "\n")); /* every line says who */
  assert_non_null(strstr(text, "copse "));
  assert_non_null(strstr(text, "live"));
}

/* malloc_stats does not allocate: twice in a row it prints the same. */
static void twice(void) {
  malloc_stats();
  malloc_stats();
}

static void test_malloc_stats_allocates_nothing(void **state) {
  (void)state;
  static char text[32768];
  size_t length = stderr_of(twice, text, sizeof text);
  if (any_malloc()) return;
  assert_int_equal(length % 2, 0);
  assert_memory_equal(text, text + length / 2, length / 2);
}

/* ------------------------------------------------------------------ the summary at exit */

static const char *wish;

/* A program that closes its stderr before it ends, as coreutils do. */
static void exec_a_program(void) {
  setenv("COPSE_SHOW_STATS", wish, 1);
  execlp("cat", "cat", "/dev/null", (char *)NULL);
  _exit(1);
}

static void exec_quietly(void) {
  unsetenv("COPSE_SHOW_STATS");
  execlp("cat", "cat", "/dev/null", (char *)NULL);
  _exit(1);
}

static void test_summary_at_exit(void **state) {
  (void)state;
  static char text[16384];
  Dl_info info;
  assert_int_not_equal(dladdr((void *)(uintptr_t)malloc, &info), 0);
  char *drop_in = realpath(info.dli_fname, NULL); /* the children have it, however it came to this program */
  assert_non_null(drop_in);
  setenv("LD_PRELOAD", drop_in, 1);
  free(drop_in);
  static const char *const values[] = {"stderr", "2", "", "nonsense"};
  for (size_t i = 0; i < sizeof values / sizeof *values && !any_malloc(); i++) {
    wish = values[i];
    assert_true(stderr_of(exec_a_program, text, sizeof text) > 100);
    assert_memory_equal(text, "cat[", 4);
    assert_non_null(strstr(text, "]: copse "));
    assert_non_null(strstr(text, "at exit"));
  }
  wish = "77"; /* not open: silence */
  assert_int_equal(stderr_of(exec_a_program, text, sizeof text), 0);
  assert_int_equal(stderr_of(exec_quietly, text, sizeof text), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mallinfo_follows),
      cmocka_unit_test(test_mallinfo_is_the_same_in_ints),
      cmocka_unit_test(test_trim),
      cmocka_unit_test(test_mallopt),
      cmocka_unit_test(test_malloc_info_is_xml),
      cmocka_unit_test(test_malloc_stats_is_readable),
      cmocka_unit_test(test_malloc_stats_allocates_nothing),
      cmocka_unit_test(test_summary_at_exit),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
