/* SPDX-License-Identifier: MIT */
/*
 * Test bodies that run in processes of their own, in which copse has not started yet and limits may be spent; and figures.
 * cmocka's assertions leave by longjmp, so they are for the first process alone: everywhere else, in any thread, CHECK.
 */
#ifndef COPSE_TESTS_PROCESS_H
#define COPSE_TESTS_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "under.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>


/* Seconds after which a child that hangs is ended. */
enum { PROCESS_LIMIT = UNDER_VALGRIND ? 280 : 120 };

#define CHECK(x) ((x) ? (void)0 : process_fail(__FILE__, __LINE__, #x))

/* On stdout: some tests send reports on stderr away. */
static inline void process_fail(const char *file, int line, const char *what) {
  printf("# %s:%d: not so: %s\n", file, line, what);
  fflush(stdout);
  _exit(1);
}

/* Bytes that the instrumented library adds to a request, and the class that serves one there and in release. */
#ifdef COPSE_INSTRUMENTED
#define EXTRA ((size_t)16)
#else
#define EXTRA ((size_t)0)
#endif
#define class_of_request(size) \
  copse_class_route((size) + EXTRA, (size) > 16 && (size) <= 4096 && is_power_of_two(size) ? (size) : 16)

/* A figure that a test shows, as a diagnostic of TAP. */
__attribute__((format(printf, 2, 3))) static inline void figure(const char *name, const char *format, ...) {
  va_list arguments;
  printf("# %s: ", name);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
}

/* Says why a test does nothing here. */
static inline void left_out(const char *why) { printf("# left out: %s\n", why); }

/* The status of a child that ran `body`, as of waitpid(2). */
static inline int process_status(void (*body)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    /* cmocka's handlers would go on with the next test here. */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
    alarm(PROCESS_LIMIT);
    body();
    fflush(NULL);
    _exit(0);
  }
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) status = -1;
  return status;
}

/* Runs `body` in a child, which must come to its end. */
#define fresh(body) \
  do { \
    int fresh_status = process_status(body); \
    if (WIFSIGNALED(fresh_status)) fail_msg("ended by signal %d", WTERMSIG(fresh_status)); \
    assert_int_equal(fresh_status, 0); \
  } while (0)

/* Defines a test of cmocka that runs the block behind it in a fresh process. */
#define FRESH(name) \
  static void name##_body(void); \
  static void name(void **state) { \
    (void)state; \
    fresh(name##_body); \
  } \
  static void name##_body(void)

#endif
