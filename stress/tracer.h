/* SPDX-License-Identifier: MIT */
/* A process whose victim is traced by this one (ptrace(2)): to stop it anywhere, or to let it do one instruction at a time. */
#ifndef COPSE_STRESS_TRACER_H
#define COPSE_STRESS_TRACER_H

#include "victim.h"
#include <sys/types.h>

struct tracer {
  pid_t process, victim;
  struct lock_words words;
  struct held_shared *shared;
  struct tracer_handshake *handshake;
};

/*
 * Starts a process with copse, the workers and the victim, which does `paths` once it is traced, and ends.  `setup` runs there first.
 * Then this process traces the victim, which stands still.
 */
void tracer_start(struct tracer *t, unsigned arenas, void (*setup)(void), void (*paths)(struct hand *hand));
/* Where the victim stands still. */
uintptr_t tracer_at(const struct tracer *t);
/* Whether the instruction there is a system call. */
bool tracer_at_call(const struct tracer *t);
/* The locks that it has taken: it stands still, and the workers wait. */
struct locks_taken tracer_locks(const struct tracer *t);
/* The same of the pools alone, but for those at the two ends of their array, which cost a system call to look at. */
unsigned tracer_pools_locked(void);
/* One instruction; or on, and stopped somewhere after so many microseconds.  false: the victim has ended. */
bool tracer_step(struct tracer *t);
bool tracer_run(struct tracer *t, unsigned microseconds);
/* After the victim's end: the process ends, all it holds is counted, and it must be well. */
void tracer_end(struct tracer *t);

#endif
