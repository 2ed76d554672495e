/* SPDX-License-Identifier: MIT */
/* The process's first call, a thread's first call, and a thread's end. */
#ifndef COPSE_START_H
#define COPSE_START_H

#include "cache.h"

/* Brings everything up, once.  false: no memory; the next call tries again. */
hidden bool copse_start(void);
/* Whether that has happened. */
hidden bool copse_started(void);
/* As copse_tune_set: one that is to be set early is set before that, and is what it brings up, or is too late. */
hidden int copse_start_parameter(const char *name, u64 value);

/* The calling thread's record; NULL where it has none. */
static inline struct cache *cache_of_thread(void) {
  struct copse_hot_ *hot = copse_hot_of_thread_();
  return hot_is_dummy(hot) ? NULL : cache_of_hot(hot);
}

/* The same, and takes one if it may.  NULL: the thread has ended, or there is no memory: then pools serve, if started. */
hidden struct cache *copse_thread_cache(void);
/*
 * The same for a free, with which a thread takes none before it has freed FREES_DIRECT slots: glibc frees what is of threads that
 * ended in one that ends itself, behind its destructors, where nobody would leave the record any more.
 */
hidden struct cache *copse_thread_cache_to_free(void);
/* How many the calling thread has freed so. */
hidden extern __thread u8 copse_frees_direct;

#endif
