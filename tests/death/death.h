/* SPDX-License-Identifier: MIT */
/*
 * For the programs beside it: each is one misuse, and says in its head what each tool must say of it, for run.sh to hold it to.
 *
 *   misuse: what it is, in a few words; the row of doc/MISUSE
 *   COLUMN...:  report  a regular expression that a line of the output matches; what it matches is the cell of the table
 *               address likewise: what is said of the address
 *               stack   HEADER: FUNCTION    under a line that matches HEADER stands a stack with FUNCTION in it
 *               signal  the program ends by this signal
 *               none    why this tool cannot see it: then it must end well, and silently
 *   Columns: plain (copse alone), asan, tsan, msan, valgrind.  A line may name several.
 *
 * With -DCLEAN the same program does without the misuse: it must end well and silently under every tool.
 */
#ifndef COPSE_DEATH_H
#define COPSE_DEATH_H

#include "copse.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef CLEAN
enum { MISUSED = 0 };
#else
enum { MISUSED = 1 };
#endif

/* A step of the story, which a stack must name: a frame of its own, left by no tail call (-fno-optimize-sibling-calls). */
#ifdef __clang__
#define STEP __attribute__((noinline))
#else
#define STEP __attribute__((noipa))
#endif

/* Something to be done with what was read. */
extern int death_seen;
int death_seen;

/*
 * An order of time that no tool takes for synchronisation: relaxed, so that a race stays one.  The clean variants take the
 * others, which pair with each other.
 */
static int stage;
static inline void reach(int n) { __atomic_store_n(&stage, n, __ATOMIC_RELAXED); }
static inline void await(int n) {
  while (__atomic_load_n(&stage, __ATOMIC_RELAXED) < n) sched_yield();
}
static inline void reach_release(int n) { __atomic_store_n(&stage, n, __ATOMIC_RELEASE); }
static inline void await_acquire(int n) {
  while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < n) sched_yield();
}

static inline void tune(const char *name, uint64_t value) {
  if (copse_tune_set(name, value) != 0) abort();
}

static inline pthread_t begin(void *(*run)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, argument) != 0) abort();
  return thread;
}
static inline void end(pthread_t thread) {
  if (pthread_join(thread, NULL) != 0) abort();
}

#endif
