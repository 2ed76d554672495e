/* SPDX-License-Identifier: MIT */
/* What a target does before its first input. */
#ifndef COPSE_FUZZ_SETUP_H
#define COPSE_FUZZ_SETUP_H

#include "copse.h"
#include "expect.h"
#include <stdbool.h>
#include <sys/prctl.h>

/*
 * The first time: true, and the system gives this process no transparent huge pages.  They are asked for all the same; to clear 2 MB
 * for each word that is written would be most of the time.
 */
static inline bool setup_first(void) {
  static bool done;
  if (done) return false;
  done = true;
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  return true;
}

/*
 * The same, and how much address space is reserved, for sanitizers have their own in most of it.  Several arenas take 4 TB, and the
 * instrumented library has one; where there is no room for them there is one too.
 */
static inline bool setup_reserve(uint64_t bytes, unsigned arenas) {
  if (!setup_first()) return false;
#ifdef COPSE_INSTRUMENTED
  arenas = 1;
#endif
  expect(copse_tune_set("reserve", arenas > 1 ? (uint64_t)1 << 42 : bytes) == 0 && copse_tune_set("arenas", arenas) == 0);
  return true;
}

#endif
