/* SPDX-License-Identifier: MIT */
#include "tune.h"
#include "atomic.h"
#include "say.h"
#include "tunables.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct parameter copse_parameters[] = {
#define X(name, value, least, greatest, early) {#name, &copse_tunables.name, (value), (least), (greatest), (early)},
  COPSE_PARAMETERS(X)
#undef X
  {NULL, NULL, 0, 0, 0, false},
};

static bool frozen;

static const struct parameter *find(const char *name, size_t length) {
  for (const struct parameter *p = copse_parameters; p->name; p++)
    if (strncmp(p->name, name, length) == 0 && !p->name[length]) return p;
  return NULL;
}

int copse_parameter_get(const char *name, u64 *value) {
  const struct parameter *p = find(name, strlen(name));
  if (!p) return ENOENT;
  /* relaxed: a parameter stands on its own. */
  *value = load_relaxed(p->value);
  return 0;
}

static int set(const struct parameter *p, u64 value) {
  if (!p) return ENOENT;
  if (value < p->least || value > p->greatest) return EINVAL;
  /* relaxed: set once, at start; a call that races with it may be either before or after. */
  if (p->early && load_relaxed(&frozen)) return EBUSY;
  /* relaxed: as above. */
  store_relaxed(p->value, value);
  return 0;
}

int copse_parameter_set(const char *name, u64 value) { return set(find(name, strlen(name)), value); }

void copse_parameters_freeze(void) { store_relaxed(&frozen, true); }

/* A decimal number with an optional unit, all of [text, end).  false: it is not. */
static bool parse(const char *text, const char *end, u64 *value) {
  u64 number = 0;
  const char *at = text;
  for (; at < end && *at >= '0' && *at <= '9'; at++)
    if (__builtin_mul_overflow(number, 10u, &number) || __builtin_add_overflow(number, (u64)(*at - '0'), &number)) return false;
  if (at == text) return false;
  if (at < end) {
    static const char units[] = "KMGT";
    const char *unit = memchr(units, *at, 4);
    if (!unit || at + 1 < end || __builtin_mul_overflow(number, (u64)1 << (10 * (unit - units + 1)), &number)) return false;
  }
  *value = number;
  return true;
}

static void complain(const char *what, const char *option, size_t length) {
  char line[160];
  int n = snprintf(line, sizeof line, "copse: COPSE_OPTIONS: %s: %.*s\n", what, length < 80 ? (int)length : 80, option);
  if (n > 0) (void)copse_say(STDERR_FILENO, line, min_u64((u64)n, sizeof line - 1)); /* or there is nowhere left to say it */
}

void copse_options_read(const char *options) {
  int saved = errno;
  while (options && *options) {
    size_t length = strcspn(options, ",");
    const char *end = options + length, *equals = memchr(options, '=', length);
    u64 value;
    if (length) {
      const struct parameter *p = find(options, equals ? (size_t)(equals - options) : length);
      if (!p)
        complain("no such parameter", options, length);
      else if (!equals || !parse(equals + 1, end, &value))
        complain("not a number", options, length);
      else if (set(p, value) != 0)
        complain("out of range", options, length);
    }
    options = *end ? end + 1 : end;
  }
  errno = saved;
}
