/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented drop-in says of pointers that it never handed out, or that are not the start of an allocation:
 * one line on stderr that names the function, then the stacks, and abort.  In release this is undefined, and so not tried: the test skips itself there.
 */
#include "test_malloc.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char global[64];
static int *volatile sink;

static void misuse_free_of_stack(void) {
  char local[64];
  free(hide(local));
}

static void misuse_free_of_global(void) { free(hide(global)); }

static void misuse_free_of_mapping(void) {
  free(hide(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}

static void misuse_free_of_inside(void) {
  char *ptr = hide(malloc(100));
  free(hide(ptr + 16));
}

static void misuse_free_of_inside_large(void) {
  char *ptr = hide(malloc(5 << 20));
  free(hide(ptr + 4096));
}

static void misuse_free_twice_large(void) {
  char *ptr = hide(malloc(5 << 20));
  free(hide(ptr));
  free(hide(ptr));
}

static void misuse_realloc_of_global(void) { sink = hide(realloc(hide(global), 100)); }
static void misuse_usable_size_of_global(void) { sink = (int *)malloc_usable_size(hide(global)); }
static void misuse_free_sized_of_global(void) { free_sized(hide(global), 10); }
static void misuse_free_sized_too_large(void) { free_sized(hide(malloc(100)), opaque(5000)); }
/* Of two neighbours one is aligned to no more than 16. */
static void misuse_free_aligned_sized_crooked(void) {
  char *one = hide(malloc(16)), *two = hide(malloc(16));
  free_aligned_sized((uintptr_t)one & 16 ? one : two, opaque(32), 16);
}

static void misuse_free_twice(void) {
  char *ptr = hide(malloc(30));
  free(hide(ptr));
  free(hide(ptr));
}
static void misuse_free_sized_too_small(void) { free_sized(hide(malloc(100)), opaque(99)); }
static void misuse_written_beyond(void) {
  char *ptr = hide(malloc(100));
  ptr[opaque(100)] = 1;
  free(hide(ptr));
}
/* Found when others that are freed drive it out of the quarantine. */
static void misuse_written_after_free(void) {
  char *ptr = hide(malloc(500000)), *next;
  free(hide(ptr));
  ptr[opaque(5)] = 1;
  for (int i = 0; i < 10; i++) {
    next = hide(malloc(500000));
    free(hide(next));
  }
}
static void misuse_realloc_twice(void) {
  static char *volatile ptr; /* read anew each time: a compiler knows what the first call means */
  ptr = malloc(100);
  sink = hide(reallocarray(ptr, 10, 20));
  sink = hide(reallocarray(ptr, 10, 30));
}
static void misuse_free_aligned_as_plain(void) { free_sized(hide(aligned_alloc(64, 128)), opaque(128)); }

/* In a child, whose stderr is read. */
static void check_misuse(void (*misuse)(void), const char *function) {
  static char text[32768];
  char start[64];
  size_t length = 0;
  int ends[2], status = 0;
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL); /* cmocka has handlers of its own */
    signal(SIGSEGV, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    misuse();
    _exit(0);
  }
  close(ends[1]);
  for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)n;
  text[length] = 0;
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
    fail_msg("not aborted (status %#x): %s", (unsigned)status, text);
  snprintf(start, sizeof start, "copse: %s: ", function);
  char *end = strchr(text, '\n');
  if (strncmp(text, start, strlen(start)) != 0 || !end) fail_msg("not a line on %s: %s", function, text);
  if (strncmp(end, "\n  here, thread ", 16) != 0 || !strstr(end, "\n    #0 0x") || strstr(end, "copse: "))
    fail_msg("not one line and the stacks: %s", text);
  /* The program's own function, by its name, though it is static. */
  if (!strstr(end, " in misuse_")) fail_msg("who did it is not said: %s", text);
}

#define MISUSE(name, function)                                                                                         \
  static void test_##name(void **state) {                                                                              \
    (void)state;                                                                                                       \
    check_misuse(misuse_##name, #function);                                                                            \
  }

MISUSE(free_of_stack, free)
MISUSE(free_of_global, free)
MISUSE(free_of_mapping, free)
MISUSE(free_of_inside, free)
MISUSE(free_of_inside_large, free)
MISUSE(free_twice_large, free)
MISUSE(realloc_of_global, realloc)
MISUSE(usable_size_of_global, malloc_usable_size)
MISUSE(free_sized_of_global, free_sized)
MISUSE(free_sized_too_large, free_sized)
MISUSE(free_aligned_sized_crooked, free_aligned_sized)
MISUSE(free_twice, free)
MISUSE(free_sized_too_small, free_sized)
MISUSE(written_beyond, free)
MISUSE(written_after_free, free)
MISUSE(realloc_twice, realloc)
MISUSE(free_aligned_as_plain, free_sized)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_free_of_stack),
      cmocka_unit_test(test_free_of_global),
      cmocka_unit_test(test_free_of_mapping),
      cmocka_unit_test(test_free_of_inside),
      cmocka_unit_test(test_free_of_inside_large),
      cmocka_unit_test(test_free_twice_large),
      cmocka_unit_test(test_realloc_of_global),
      cmocka_unit_test(test_usable_size_of_global),
      cmocka_unit_test(test_free_sized_of_global),
      cmocka_unit_test(test_free_sized_too_large),
      cmocka_unit_test(test_free_aligned_sized_crooked),
      cmocka_unit_test(test_free_twice),
      cmocka_unit_test(test_free_sized_too_small),
      cmocka_unit_test(test_written_beyond),
      cmocka_unit_test(test_written_after_free),
      cmocka_unit_test(test_realloc_twice),
      cmocka_unit_test(test_free_aligned_as_plain),
  };
  if (!is_instrumented()) {
    puts("1..0 # SKIP misuse is undefined but in the instrumented drop-in");
    return 0;
  }
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
