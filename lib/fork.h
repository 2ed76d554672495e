/* SPDX-License-Identifier: MIT */
/*
 * fork(2) in a process with threads: all locks are taken in the order of their ranks before, and released after; the
 * child makes them new and takes back what the threads that it does not have had cached.
 */
#ifndef COPSE_FORK_H
#define COPSE_FORK_H

#include "base.h"

/* Registers the handlers, once: as early as possible, so that ours run last before a fork and first after it. */
hidden void copse_fork_register(void);

#endif
