/* SPDX-License-Identifier: MIT */
/*
 * Trap 12: checks that sit behind the cache, and so miss what stays in it.  In the instrumented library each of these misuses
 * ends the process at the call itself, with one line that says "copse: ", the function and what is wrong, and then the stacks.
 */
#include "balance.h"
#include <errno.h>
#include <string.h>

static int here;
/* So that no compiler sees what is done. */
static void *volatile hide;
static void *hidden_pointer(void *p) {
  hide = p;
  return hide;
}

static void foreign_free(void) { copse_free(hidden_pointer(&here), 8); }
static void foreign_free_unsized(void) {
  copse_free(copse_alloc(10), 10);
  copse_free_unsized(hidden_pointer(&here));
}
static void foreign_usable_size(void) { here = (int)copse_usable_size(hidden_pointer(&here)); }
static void inner_pointer(void) { copse_free(hidden_pointer((char *)copse_alloc(100) + 16), 10); }
static void inner_pointer_of_a_span(void) { copse_free_unsized(hidden_pointer((char *)copse_alloc(5 << 20) + (2 << 20))); }
static void too_large_a_size(void) { copse_free(hidden_pointer(copse_alloc(100)), 200); }
static void too_large_a_size_of_a_span(void) { copse_free(hidden_pointer(copse_alloc(2 << 20)), 9 << 20); }
static void wrong_alignment(void) {
  char *p = copse_alloc_aligned(4096, 4096), *q = copse_alloc_aligned(4096, 4096);
  copse_free_aligned(hidden_pointer((uptr)p % 8192 ? p : q), 4096, 8192);
}
static void wrong_old_size(void) { hide = copse_realloc(hidden_pointer(copse_alloc(64)), 500, 1000); }
static void foreign_in_a_batch(void) {
  void *p[2] = {copse_alloc(64), hidden_pointer(&here)};
  copse_free_batch(64, 2, p);
}
static void span_freed_twice(void) {
  hide = copse_alloc(3 << 20);
  copse_free_unsized(hide);
  copse_free_unsized(hide);
}

/* What this trap is about: the slot waits in the thread's own bundle. */
static void freed_twice(void) {
  hide = copse_alloc(64);
  copse_free(hide, 64);
  copse_free(hide, 64);
}
static void freed_twice_with_others_between(void) {
  void *p[80];
  if (copse_alloc_batch(64, 80, p) != 80) return;
  hide = p[3];
  for (unsigned i = 0; i < 80; i++) copse_free(p[i], 64); /* into the spare bundle */
  copse_free_unsized(hide);
}
static void freed_twice_and_resized(void) {
  hide = copse_alloc(5000);
  copse_free(hide, 5000);
  hide = copse_realloc(hide, 5000, 9000);
}
/* Home already: seen when the second one comes home, at the latest. */
static void freed_twice_and_flushed(void) {
  hide = copse_alloc(64);
  copse_free(hide, 64);
  copse_thread_flush();
  copse_free(hide, 64);
  copse_thread_flush();
}

static const struct {
  const char *name;
  void (*misuse)(void);
} misuses[] = {
#define X(name) {#name, name}
  X(foreign_free),     X(foreign_free_unsized),       X(foreign_usable_size), X(inner_pointer), X(inner_pointer_of_a_span),
  X(too_large_a_size), X(too_large_a_size_of_a_span), X(wrong_alignment),     X(wrong_old_size), X(foreign_in_a_batch),
  X(span_freed_twice),
#undef X
};

/* What a child that does it says on stderr.  Returns its status. */
static int said_by(void (*misuse)(void), char *text, size_t room) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    alarm(PROCESS_LIMIT);
    misuse();
    _exit(0);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t n; (n = read(ends[0], text + length, room - 1 - length)) > 0;) length += (size_t)n;
  text[length] = 0;
  close(ends[0]);
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static void caught(const char *name, void (*misuse)(void)) {
  static char text[32768];
  int status = said_by(misuse, text, sizeof text);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) fail_msg("%s: not noticed (status %d): %s", name, status, text);
  char *end = strchr(text, '\n');
  if (strncmp(text, "copse: copse_", 13) != 0 || !end) fail_msg("%s: not a line of copse's: %s", name, text);
  if (strncmp(end, "\n  here, thread ", 16) != 0 || !strstr(end, "\n    #0 0x") || strstr(end, "copse: "))
    fail_msg("%s: not one line and the stacks: %s", name, text);
  print_message("# %s: %.*s\n", name, (int)(end - text), text);
}

static void trap_12_misuse_is_caught_ahead_of_the_cache(void **state) {
  (void)state;
  if (!INSTRUMENTED) {
    left_out("release checks nothing");
    return;
  }
  for (unsigned i = 0; i < sizeof misuses / sizeof *misuses; i++) caught(misuses[i].name, misuses[i].misuse);
}

static void trap_12_a_slot_freed_twice_is_caught_in_the_cache(void **state) {
  (void)state;
  if (!INSTRUMENTED) {
    left_out("release checks nothing");
  } else {
    caught("freed_twice", freed_twice);
    caught("freed_twice_with_others_between", freed_twice_with_others_between);
    caught("freed_twice_and_resized", freed_twice_and_resized);
    caught("freed_twice_and_flushed", freed_twice_and_flushed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(trap_12_misuse_is_caught_ahead_of_the_cache),
    cmocka_unit_test(trap_12_a_slot_freed_twice_is_caught_in_the_cache),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
