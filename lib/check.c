/* SPDX-License-Identifier: MIT */
/* Says what went wrong in one line on stderr, and aborts.  Allocates nothing, takes no lock. */
#include "check.h"
#include "say.h"

#ifdef COPSE_INSTRUMENTED
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say(char *line, int length, size_t room) {
  size_t n = length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
  if (n == room - 1) line[n - 1] = '\n'; /* cut short, and still a line */
  (void)copse_say(STDERR_FILENO, line, n);
}

void copse_broken(const char *expression, const char *file, int line_number) {
  char line[256];
  say(line, snprintf(line, sizeof line, "copse: broken invariant: %s at %s:%d\n", expression, file, line_number),
      sizeof line);
  abort();
}
#else
typedef int copse_check_is_empty;
#endif
