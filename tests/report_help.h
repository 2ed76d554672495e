/* SPDX-License-Identifier: MIT */
/* What the tests of reports share: objects that are allocated here, by functions with names, and what was said about them. */
#ifndef COPSE_TESTS_REPORT_HELP_H
#define COPSE_TESTS_REPORT_HELP_H

#include "core.h"
#include "check.h"
#include "copse.h"
#include "report.h"

#if INSTRUMENTED

static char said[1 << 17];

/* So that no compiler sees what is done. */
static void *volatile hide;
static inline void *hidden_pointer(void *p) {
  hide = p;
  return hide;
}

#define KEPT __attribute__((noinline))
static volatile unsigned after; /* something behind each call, so that it is none in the tail */
KEPT __attribute__((unused)) static char *allocate_it(size_t size) {
  char *p = copse_alloc(size);
  after++;
  return p;
}
KEPT __attribute__((unused)) static void free_it(void *p, size_t size) {
  copse_free(p, size);
  after++;
}

static inline unsigned count_of(const char *text, const char *what) {
  unsigned n = 0;
  for (; (text = strstr(text, what)); text += strlen(what)) n++;
  return n;
}

/* `text` is in `said`, from *at on, which moves behind it. */
static inline void next_is(const char **at, const char *text) {
  const char *found = strstr(*at, text);
  if (!found) fail_msg("no \"%s\" in: %s", text, *at);
  *at = found + strlen(text);
}

static inline void next_frame(const char **at, const char *function) {
  const char *found = frame_place(*at, function, THIS_TEST, "report_help");
  if (!found) fail_msg("no frame of %s in: %s", function, *at);
  *at = found;
}

#endif
#endif
