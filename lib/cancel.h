/* SPDX-License-Identifier: MIT */
/*
 * Nothing of copse's is a cancellation point: a thread that was cancelled between two instructions of it would keep what it has in its
 * hands, a lock too.  What calls one, as read(2) is, does it between these.
 * Source: POSIX.1-2017, XSH 2.9.5, Thread Cancellation.
 */
#ifndef COPSE_CANCEL_H
#define COPSE_CANCEL_H

#include <pthread.h>

/* Returns what cancel_back wants. */
static inline int cancel_off(void) {
  int before = PTHREAD_CANCEL_ENABLE;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  return before;
}

static inline void cancel_back(int before) { pthread_setcancelstate(before, &(int){0}); }

#endif
