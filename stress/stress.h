/* SPDX-License-Identifier: MIT */
/*
 * What the scenarios of stress/ share.  A scenario is one file that defines stress_scenario; a round of it starts threads, works so
 * much, whatever the time, and leaves them at rest; rounds follow one another until the time is over.  After each the harness
 * counts every slot, each term on its own.
 *
 * Seeds: a round's seed follows from the run's and its number, a thread's random numbers from the round's and its own number.  So
 * each thread does the same again; which thread comes first the system decides, so that a replay is a row of likely attempts.
 *
 * Objects are filled by a pattern of their own when they are made, and it is looked at before they are freed.
 */
#ifndef COPSE_STRESS_H
#define COPSE_STRESS_H

#include "copse.h"
#include "base.h"
#include "random.h"
#include "under.h"

struct hand;

enum {
  STRESS_FRESH = 1,   /* each round in a process of its own, in which copse has not started yet */
  STRESS_ONCE = 2,    /* one round, however long */
  STRESS_REFUSALS = 4, /* a request may be refused */
  STRESS_QUIET = 8     /* its threads are not preempted by signals: other scenarios' are in every other round */
};
struct scenario {
  const char *about;
  unsigned flags;
  /* One round.  The hand is the calling thread's. */
  void (*round)(struct hand *hand);
};
extern const struct scenario stress_scenario;

/* ---- what must be so ---- */

#define require(x) ((x) ? (void)0 : stress_fail(__FILE__, __LINE__, #x))
/* Says what was not so, and how to have it again; ends the process.  Any thread, any process. */
_Noreturn void stress_fail(const char *file, int line, const char *what);
/* Of a round in a process of its own, or of all: it cannot be had here.  A part that cannot is said once. */
_Noreturn void stress_skip_all(const char *why);
void stress_skip(const char *part, const char *why);
/* A figure of this scenario, added up or the greatest of all rounds; printed at the end.  `name` is constant. */
void stress_add(const char *name, uint64_t n);
void stress_most(const char *name, uint64_t n);
/* Whether this fault is to be planted: it was asked for by --plant. */
bool stress_planted(const char *plant);
/* Seconds after which a round counts as one that hangs. */
unsigned stress_limit(void);

/* ---- threads ---- */

enum { HANDS = 66 };
/* A thread's share: only that thread touches it. */
struct hand {
  unsigned number; /* 0: the round's own thread; from 1 on those of a crew */
  uint64_t random;
  void *shared;
  uint64_t made, freed, refused, tags;
  /* Objects made less those freed by this thread, by the class that each one's address is in; may be less than none. */
  int64_t live[COPSE_CLASSES], spans;
  struct object *victim; /* of a planted fault */
};
/* Starts threads 1 to n, n < HANDS; and waits for the end of all. */
void crew_start(unsigned n, void (*work)(struct hand *hand), void *shared);
void crew_join(void);
static inline void crew(unsigned n, void (*work)(struct hand *hand), void *shared) {
  crew_start(n, work, shared);
  crew_join();
}
/* Yields now and then, so that threads meet in the middle of things where there are few processors. */
void stress_breathe(struct hand *hand);

/* ---- objects ---- */

struct object {
  unsigned char *p; /* NULL: none */
  size_t size;
  uint64_t tag; /* 0: it was not written to */
};

/* Allocates and fills; some are asked for zeroed, and looked at before.  false: refused, which is a failure unless the scenario says STRESS_REFUSALS. */
bool object_make(struct hand *hand, size_t size, struct object *out);
/* The same, but nothing is written to it, nor looked at: so it costs no page. */
bool object_reserve(struct hand *hand, size_t size, struct object *out);
/* Looks whether all of it is as it was made. */
void object_look(const struct object *o);
/* Looks, and frees; `o` is none afterwards.  Of none nothing happens. */
void object_free(struct hand *hand, struct object *o);
/* Many of one size at once, n at most OBJECTS_MOST; how many were made.  And the other way round: they are of one size. */
enum { OBJECTS_MOST = 64 };
unsigned object_make_batch(struct hand *hand, size_t size, unsigned n, struct object out[]);
void object_free_batch(struct hand *hand, unsigned n, struct object o[]);
/* Changes its size, sometimes by moving; the contents are looked at.  false: refused, and it is as it was. */
bool object_resize(struct hand *hand, struct object *o, size_t size);
/* A size as programs have them: mostly small, now and then large, up to `most`. */
size_t random_size(uint64_t *random, size_t most);

/* ---- conservation ---- */

/*
 * live + quarantined + cached + free + detached + uncommitted + lost = 64 x blocks, of each class; nothing is detached, and `lost` is
 * at most `lost_most` in all.  Live are what all hands hold.  All threads are at rest.
 */
void stress_balance(uint64_t lost_most);

#endif
