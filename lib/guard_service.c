/* SPDX-License-Identifier: MIT */
/* What is asked of the guard at sync points: the quarantine's flush, arguments, whether the pools are whole, and leaks.
 */
#include "guard.h"
#include "annotate.h"
#include "atomic.h"
#include "check.h"
#include "pool.h"
#include "region.h"
#include "span.h"
#include "span_state.h"
#include "start.h"
#include "tunables.h"

#if INSTRUMENTED
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

u64 copse_guard_flush(void) {
  int saved = errno;
  u64 bytes = copse_started() ? copse_guard_flush_at(SITE("copse_trim")) : 0;
  errno = saved;
  return bytes;
}

/*
 * The public functions promise that the argument is none: what sees this function and its callers at once, as link-time optimisation
 * does, would take the promise for the answer.
 */
#if !defined(__clang__)
__attribute__((noipa))
#endif
bool copse_guard_nonnull(const struct site *at, const void *argument) {
  __asm__("" : "+r"(argument));
  if (likely(argument != NULL)) return true;
  copse_guard_enter_at(at->caller);
  copse_report_misuse(at, "a NULL pointer", argument, 0, NULL);
  copse_annotate_leave();
  return false;
}

void copse_guard_check(bool all) {
  if (!copse_started()) return;
  if (!all) {
    copse_pool_check_next();
    return;
  }
  for (unsigned class = 0; class < CLASSES; class ++) must(copse_pool_valid(&copse_pools[class]));
  must(copse_span_valid());
}

/* Whether another thread may be about to read what is copse's own. */
static bool others(void) {
  const struct cache *mine = cache_of_thread();
  for (const struct cache *c = copse_cache_first(); c; c = c->next)
    /* relaxed: a figure. */
    if (c != mine && load_relaxed(&c->taken)) return true;
  return false;
}

static void hide_own_words(void) {
  copse_annotate_own_words(region_base(region_own()), region_size());
  for (unsigned class = 0; class < CLASSES; class++)
    copse_annotate_own_words(&copse_pools[class].start, sizeof copse_pools[class].start);
  copse_annotate_own_words(&copse_span_state.base, sizeof copse_span_state.base);
}

/*
 * At exit, after the program's own handlers: those of atexit run before destructors, and of destructors the lowest
 * number comes last.
 */
__attribute__((destructor(101))) static void list_leaks(void) {
  if (!copse_started()) return;
  /* relaxed: a parameter stands on its own. */
  u64 wanted = load_relaxed(&copse_tunables.leaks), leaks = 0;
  if (wanted) {
    copse_guard_enter();
    leaks = copse_report_leaks();
    copse_annotate_leave();
  }
  if (!others()) hide_own_words();
  if (wanted < 2 || !leaks) return;
  /* What stdio still holds would be lost.  As exit does it: fflush waits for whoever has a stream, such as one that reads from it. */
#ifdef __GLIBC__
  fcloseall();
#else
  fflush(NULL);
#endif
  _exit(23);
}

#else
typedef int copse_guard_service_is_empty;
#endif
