/* SPDX-License-Identifier: MIT */
/*
 * A stateless model checker, for what a scenario writes.
 *
 * The code under test is compiled by -fsanitize=thread and linked against the checker instead of the sanitizer's
 * runtime: each plain and atomic access calls it.  The threads of a scenario are fibres of one thread of the system; at
 * each atomic operation the checker decides who goes on and which store a load reads, and goes through all decisions
 * that give different executions.
 *
 * A scenario is a setup, up to four threads and a final check.  Setup and final check run alone: setup happens before
 * all threads, the final check after all.  Each execution starts anew from the same bytes: whatever the code under test
 * or a scenario wrote is taken back.  So a scenario keeps its state in globals, and is compiled like the code under
 * test.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_THREADS = 4 };

enum verdict {
  EXHAUSTIVE, /* every execution of the model was looked at, and none failed */
  INCOMPLETE, /* the limit of executions was reached first */
  FAILED
};

struct scenario {
  const char *name;
  void (*setup)(void);
  void (*thread[MODEL_THREADS])(void);
  void (*final)(void);
  enum verdict expected;
  const char *fails;  /* of those that must fail: a part of the message */
  uint64_t found_at;  /* and at which execution; 0: any */
  uint64_t graphs;    /* how many there must be; 0: any */
  uint64_t limit;     /* executions; 0: the default */
  bool lengthy;       /* for check-model-long */
  void (*once)(void); /* before the first execution, outside of the model: brings the library up */
  uint64_t outcomes;  /* a bit each: those that there must be, and no others; 0: not looked at */
  bool own_tls;       /* each thread has thread-local variables of its own */
  unsigned spurious;  /* how often in a thread a weak compare-and-swap may fail for no reason */
  bool forks;         /* the first thread calls model_survive */
};

/* Fails the execution if x does not hold. */
#define check(x) ((x) ? (void)0 : model_fail("%s:%d: %s", __FILE__, __LINE__, #x))
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn, cold));

/* 0 to n - 1: all of them are tried. */
unsigned model_choose(unsigned n);
/* Relaxed; and weak whatever the compiler is: clang makes a strong one of a weak one here. */
bool model_cas_weak(int *p, int *expected, int v);
/* Notes a bit, 0 to 63, that outlasts the execution: to see which outcomes there are. */
void model_outcome(unsigned bit);
/* Which thread this is, from 0 on; -1 in setup and final check. */
int model_thread(void);

/* The thread hands n bytes back to the system: nobody may touch them any more. */
void model_unmap(const void *p, size_t n);
/* Bytes that each thread has its own of; as they are now for each. */
void model_thread_local(void *p, size_t n);
/*
 * Counters that are only added to: their additions commute, and are no decisions.  Mutexes of what no thread writes in
 * this scenario: likewise; a plain store to it would be a race.
 */
void model_commute(const void *p, size_t n);
/* Ends the thread as the C library does: the destructors of its keys run. */
void model_thread_exit(void);

/*
 * The first thread goes on as fork's child does: alone, and with what is in memory.  The others stopped, each at any of
 * its operations, plain stores included; one that holds a mutex that the first one waits for stopped later.
 */
void model_survive(void);

/* Marks in the thread's time, to ask later whether one came before the other in every view. */
struct moment {
  int thread;
  uint32_t at;
  uint32_t seen[MODEL_THREADS];
};
struct moment model_moment(void);
/* Whether `a` happens before `b`. */
bool model_before(const struct moment *a, const struct moment *b);

#endif
