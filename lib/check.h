/* SPDX-License-Identifier: MIT */
/*
 * Checks of the instrumented library: must(x) is an invariant of copse itself.  In release they are nothing at all.
 * What the public interface wants of its callers, its `pre:` lines, is checked in guard.c.
 */
#ifndef COPSE_CHECK_H
#define COPSE_CHECK_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED
/* Prints one line and aborts; allocates nothing, takes no lock. */
hidden _Noreturn void copse_broken(const char *expression, const char *file, int line);
#define INSTRUMENTED 1
#define must(x) ((x) ? (void)0 : copse_broken(#x, __FILE__, __LINE__))
#else
#define INSTRUMENTED 0
#define must(x) ((void)0)
#endif

#endif
