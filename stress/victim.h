/* SPDX-License-Identifier: MIT */
/*
 * A thread that is stopped in the middle of what it does, and others that must go on.
 *
 * The victim works alone, while the workers wait.  When it is stopped, whoever stopped it looks at the words of all locks: nobody else
 * is at work, so that a lock that is taken is taken by the victim, and a free one is not, at every instruction.  (The owner that a mutex
 * notes is set after the lock is taken and cleared before it is left: it would not do.)  Then the workers get an episode: each does
 * a bounded piece of work that goes through all that the victim may be in, and waits again.
 */
#ifndef COPSE_STRESS_VICTIM_H
#define COPSE_STRESS_VICTIM_H

#include "pool.h"
#include "stress.h"

enum { HELD_WORKERS = 2 };

/* What an episode leaves out. */
enum {
  EPISODE_SPANS = 1, /* spans and trims: they need the spans' lock */
  EPISODE_MOST = 2   /* all but a few objects: each request may be slow */
};

/* Which locks are taken; none of copse's can be missed but the one under which an arena is made. */
struct locks_taken {
  unsigned pools, spans, start;
};

/* Addresses of lock words, as many as there are: those of pools first. */
struct lock_words {
  unsigned n, pools;
  const int *word[CLASS_REGIONS + 2];
};
/* Of so many arenas: whether they are there yet or not. */
void held_lock_words(struct lock_words *words, unsigned arenas);
/* In the same process, of the calling thread. */
struct locks_taken held_locks(const struct lock_words *words);

/* In memory that the tracer shares. */
struct held_shared {
  uint32_t episode, leave_out, done; /* done: workers, of all episodes together */
  uint32_t ending;
  uint64_t objects;
};
/* The workers' threads: until `ending`. */
void held_worker(struct hand *hand);
/* Makes all workers do an episode.  false: one has not ended in so many seconds.  Any process that shares it, any thread. */
bool held_episode(struct held_shared *shared, unsigned leave_out, unsigned seconds);
void held_end(struct held_shared *shared);
struct held_shared *held_share(void);

/* The victim's work: once through refill, exchange, spill, flush, growth, spans and trim; `turn` says with which sizes. */
void held_paths(struct hand *hand, unsigned turn);

#endif
