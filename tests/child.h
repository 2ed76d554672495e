/* SPDX-License-Identifier: MIT */
/* A test body in a process of its own: for limits that cannot be taken back, and for state that starts once. */
#ifndef COPSE_TESTS_CHILD_H
#define COPSE_TESTS_CHILD_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child cmocka's assertions would run the rest of the tests there. */
#define CHECK(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); return 1; } } while (0)

/* What a body returns where the test means nothing, as under a tool that reserves more than the limit itself. */
enum { SKIPPED = 77 };

/* A number of KB in /proc/self/status, in bytes; 0: there is none. */
static inline unsigned long own_status(const char *name) {
  char line[256], format[64];
  unsigned long kb = 0;
  snprintf(format, sizeof format, "%s: %%lu", name);
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, format, &kb) == 1) break;
  if (file) fclose(file);
  return kb << 10;
}

/* What the body returned: 0 is success.  -1: it did not return. */
static inline int in_child(int (*body)(void)) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) _exit(body());
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

#endif
