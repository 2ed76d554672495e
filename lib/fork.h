/* SPDX-License-Identifier: MIT */
/*
 * fork(2) in a process with threads: all locks are taken in the order of their ranks before, and released after; the
 * child makes them new and takes back what the threads that it does not have had cached.
 */
#ifndef COPSE_FORK_H
#define COPSE_FORK_H

#include "base.h"

/*
 * Registers the handlers: as early as possible, so that ours run last before a fork and first after it, and before any lock is taken,
 * for a child that is forked while another thread holds one has it for ever.  Nobody waits for anybody here: of threads that come at
 * once each registers them.
 */
hidden void copse_fork_register(void);
/* The calling thread is in that. */
hidden extern __thread bool copse_fork_under_way;
/* Registers them, once more: for copse_fork_register, and for a test of that. */
hidden void copse_fork_handlers_again(void);
/* Copse was brought up, and nobody knows yet: where it was by a thread that forks, in another library's handler, it takes the locks. */
hidden void copse_fork_started(void);

#endif
