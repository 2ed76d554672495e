/* SPDX-License-Identifier: MIT */
/*
 * Checks of the instrumented library.  In release they are nothing at all.
 *
 * must(x): an invariant of copse itself.
 * pre(x, function, message, pointer, size): a line `pre:` of the public interface.
 */
#ifndef COPSE_CHECK_H
#define COPSE_CHECK_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED
/* Prints one line and aborts; allocates nothing. */
hidden _Noreturn void copse_misuse(const char *function, const char *message, const void *pointer, u64 size);
hidden _Noreturn void copse_broken(const char *expression, const char *file, int line);
#define INSTRUMENTED 1
#define must(x) ((x) ? (void)0 : copse_broken(#x, __FILE__, __LINE__))
#define pre(x, function, message, pointer, size) \
  ((x) ? (void)0 : copse_misuse((function), (message), (pointer), (size)))
#else
#define INSTRUMENTED 0
#define must(x) ((void)0)
#define pre(x, function, message, pointer, size) ((void)0)
#endif

#endif
