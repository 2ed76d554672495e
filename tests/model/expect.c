/* SPDX-License-Identifier: MIT */
#include "expect.h"
#include <stdio.h>
#include <string.h>

const char *const expect_verdicts[] = {"exhaustive", "incomplete", "fails"};

bool expect_met(const struct scenario *s, const struct result *r, char *why, size_t room) {
  if (r->verdict != s->expected)
    snprintf(why, room, "expected: %s", expect_verdicts[s->expected]);
  else if (s->expected == FAILED && s->fails && !strstr(r->message, s->fails))
    snprintf(why, room, "expected to fail by: %s", s->fails);
  else if (s->expected == FAILED && s->found_at && s->found_at != r->executions)
    snprintf(why, room, "expected at execution %llu, is at %llu", (unsigned long long)s->found_at,
             (unsigned long long)r->executions);
  else if (s->graphs && s->graphs != r->graphs)
    snprintf(why, room, "expected graphs: %llu", (unsigned long long)s->graphs);
  else if (s->outcomes && s->outcomes != r->outcomes)
    snprintf(why, room, "outcomes %llx, expected %llx", (unsigned long long)r->outcomes,
             (unsigned long long)s->outcomes);
  else
    return true;
  return false;
}
