/* SPDX-License-Identifier: MIT */
/* Misuses and addresses, put into words.  Each line is one write(2); nothing is allocated and no lock is taken. */
#include "report.h"
#include "annotate.h"
#include "atomic.h"
#include "cancel.h"
#include "check.h"
#include "copse.h"
#include "region.h"
#include "report_place.h"
#include "say.h"
#include "stack.h"
#include "tunables.h"

#if INSTRUMENTED
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* low: the handler's function; high: its context.  One word, so that no function is called with the context of another. */
static struct pair handler;

void copse_report_handler(void (*function)(const struct copse_misuse *misuse, void *context), void *context) {
  struct pair before = {0, 0}, after = {(uptr)function, (uptr)context};
  /* release: pairs with the acquire in copse_report_misuse: what the context points at is visible. */
  while (!cas_pair_release(&handler, &before, after)) {}
}

void copse_report_say(const char *format, ...) {
  char line[320];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  size_t n = length < 0 ? 0 : min_u64((u64)length, sizeof line - 2);
  line[n++] = '\n';
  (void)copse_say(STDERR_FILENO, line, n); /* or there is nowhere left to say it */
}

/* ---- of an address ---- */

/* Of the block around `p`: where a trim has been, its page may be gone. */
static const char *state_words(enum side_state state, const char *p) {
  switch (state) {
  case SIDE_NEVER:
    return "never handed out";
  case SIDE_LIVE:
    return "live";
  case SIDE_QUARANTINE:
    return "freed, in quarantine";
  case SIDE_FREE:
    return copse_place_bare(p) ? "freed, and its pages given back" : "freed";
  default:
    return "being allocated or freed";
  }
}

static void say_where(const char *p, const struct place *place) {
  enum side_state state = copse_place_state(place);
  u64 offset = (u64)(p - place->start);
  if (state == SIDE_NEVER) {
    copse_report_say("  %p is %llu bytes inside a slot of %llu bytes [%p,%p), never handed out", (const void *)p,
                     (unsigned long long)offset, (unsigned long long)place->room, (void *)place->start,
                     (void *)(place->start + place->room));
    return;
  }
  u64 size = place->side->size;
  bool behind = offset >= size;
  copse_report_say("  %p is %llu bytes %s a block of %llu bytes [%p,%p), %s", (const void *)p,
                   (unsigned long long)(behind ? offset - size : offset), behind ? "after" : "inside",
                   (unsigned long long)size, (void *)place->start, (void *)(place->start + size),
                   state_words(state, p));
}

/* Another block begins close behind: then it may be that one which was meant. */
static void say_before(const char *p, const struct place *place) {
  struct place next = copse_place_of(place->start + place->room);
  if (!next.side || next.start != place->start + place->room || copse_place_state(&next) == SIDE_NEVER) return;
  copse_report_say("  %p is %llu bytes before a block of %llu bytes [%p,%p), %s", (const void *)p,
                   (unsigned long long)(next.start - p), (unsigned long long)next.side->size, (void *)next.start,
                   (void *)(next.start + next.side->size), state_words(copse_place_state(&next), next.start));
}

static void say_stacks(const struct place *place) {
  enum side_state state = copse_place_state(place);
  if (state == SIDE_NEVER) return;
  const struct side *side = place->side;
  copse_report_say("  allocated by thread %u:", side->alloc_thread);
  copse_stack_print(STDERR_FILENO, side->alloc_stack);
  if (state != SIDE_QUARANTINE && state != SIDE_FREE) return;
  copse_report_say("  freed by thread %u:", side->free_thread);
  copse_stack_print(STDERR_FILENO, side->free_stack);
}

/*
 * Of two threads that free it at the same time the second may be here before the first has noted who it is: it gets a moment, up to a
 * second, since it may not be running.
 */
static void settle(const struct place *place) {
  const struct timespec moment = {0, 1000000};
  int cancel = cancel_off();
  for (unsigned i = 0; i < 1000 && copse_place_state(place) == SIDE_BUSY; i++) nanosleep(&moment, NULL);
  cancel_back(cancel);
}

/* How close before a block's start an address is said to be before it. */
enum { NEAR = 64 };

void copse_report_describe(const void *address) {
  const char *p = address;
  if (!copse_regions.base || region_of(p) >= copse_regions.count) return;
  struct place place = copse_place_of(p);
  if (!place.side) {
    copse_report_say("  %p is in %s", address,
                     region_of(p) == region_own() ? "copse's own memory" : "copse's address space, in no block");
    return;
  }
  settle(&place);
  say_where(p, &place);
  bool before = (u64)(place.start + place.room - p) <= NEAR;
  if (before) say_before(p, &place);
  say_stacks(&place);
  /* In a slot that nobody had, the one behind is all that is known. */
  if (!before || copse_place_state(&place) != SIDE_NEVER) return;
  struct place next = copse_place_of(place.start + place.room);
  if (next.side && next.start == place.start + place.room) say_stacks(&next);
}

/* ---- of a misuse ---- */

static void say_misuse(const struct copse_misuse *m) {
  if (m->asked)
    copse_report_say("copse: %s: %s (pointer %p, size %llu; %llu bytes asked for)", m->function, m->what, m->pointer,
                     (unsigned long long)m->size, (unsigned long long)m->asked);
  else
    copse_report_say("copse: %s: %s (pointer %p, size %llu)", m->function, m->what, m->pointer,
                     (unsigned long long)m->size);
}

void copse_report_misuse(const struct site *at, const char *message, const void *pointer, u64 size, const void *about) {
  struct place place = copse_place_of(about);
  bool known = about && place.side && copse_place_state(&place) != SIDE_NEVER;
  struct copse_misuse misuse = {
      .function = at->function,
      .what = message,
      .pointer = pointer,
      .size = size,
      .asked = known ? place.side->size : 0,
  };
  say_misuse(&misuse);
  copse_report_say("  here, thread %u:", copse_side_thread());
  copse_stack_print_here(STDERR_FILENO, at->caller, at->frame);
  if (about) copse_report_describe(about);
  /* A function that none is, so that nothing is swapped.  gcc 12 breaks off over a pair of zeros here (aarch64, +lse). */
  struct pair set = {1, 0};
  /* acquire: pairs with the release in copse_report_handler. */
  (void)cas_pair_acquire(&handler, &set, set);
  void (*call)(const struct copse_misuse *, void *) = (void (*)(const struct copse_misuse *, void *))(uptr)set.low;
  if (call) {
    copse_annotate_written(&misuse, sizeof misuse);
    copse_annotate_leave(); /* it is the user's code */
    copse_annotate_call();
    call(&misuse, (void *)(uptr)set.high);
    copse_annotate_enter_at(at->caller);
  } else if (load_relaxed(&copse_tunables.misuse) == 1) { /* relaxed: a parameter */
    __builtin_trap();
  } else {
    abort();
  }
}

#else
typedef int copse_report_is_empty;
#endif
