/* SPDX-License-Identifier: MIT */
/*
 * The search: depth first, from the start again for each execution.
 *
 * A transition is a thread and the store that it reads, so a read does not depend on stores that come later.  Source
 * sets: when an event turns out to be in a race with an earlier one, the node before that one is told to try a thread
 * with which the reversal can begin.  Sleep sets: a thread that was done at a node sleeps in what is tried there next,
 * with a watermark of the stores that it was offered; of its transitions only those with a newer one are left.  So each
 * graph of program order, reads-from and modification order is executed once. Source: P. Abdulla, S. Aronsson, B.
 * Jonsson, K. Sagonas, Optimal Dynamic Partial Order Reduction, POPL 2014; reads-from as part of a transition as in M.
 * Kokologiannakis, O. Lahav, K. Sagonas, V. Vafeiadis, RC11, POPL 2018.
 */
#include "engine.h"
#include "search.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NODES = 1 << 15, CHOICES = 1 << 17, AWAKE = 0 };

struct node {
  u8 thread;          /* chosen now */
  u8 backtrack, done; /* sets of threads: to be tried, tried */
  u8 awake;           /* which can do something that is not asleep */
  bool fresh;         /* its choices are still to be asked for */
  u16 count, at;      /* choices of `thread`, and which one it is */
  u32 first;          /* where they stand */
  u32 mark;           /* what `thread` will have seen when it is done here */
  u32 sleep[T];       /* watermarks */
};

struct scenario model_current;
u64 *search_hashes;
size_t search_hash_count;

static struct node path[NODES];
static int path_length, depth, known; /* nodes from `known` on are new in this execution */
static int choices[CHOICES];
static struct search_options options;
static struct result *result;
static enum outcome outcome;
static bool starting, in_execution;
static size_t hash_room;

void model_outcome(unsigned bit) { result->outcomes |= (u64)1 << bit; }

static bool has_choice(int thread, u32 sleep) {
  const struct thread *t = &now.thread[thread];
  if (t->finished || !t->op) return false;
  if (t->op->kind == CHOOSE) return sleep == AWAKE;
  if (t->op->kind == STOP) return false;
  if (t->op->kind == SURVIVE) return sleep == AWAKE && alone_now(thread);
  if (t->op->kind == LOCK && t->op->place->holder != NO) return false;
  return (u32)t->op->place->count > sleep;
}

/* ---- failing ---- */

static sigjmp_buf host;

static void broken(const char *format, va_list arguments) {
  vsnprintf(result->message, sizeof result->message, format, arguments);
  search_schedule(result->schedule, sizeof result->schedule);
  outcome = BROKEN;
}

void model_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (!in_execution) {
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    abort();
  }
  now.in_model = false;
  broken(format, arguments);
  va_end(arguments);
  siglongjmp(host, 1);
}

void search_restart(void) {
  memory_restart = true;
  siglongjmp(host, 1);
}

static void fault(int number, siginfo_t *info, void *context) {
  (void)context;
  model_fail("signal %d, at address %p", number, info->si_addr);
}

static void catch_faults(void) {
  static char stack[64 << 10];
  const stack_t at = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&at, NULL);
  struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGABRT, &action, NULL);
  sigaction(SIGFPE, &action, NULL);
}

/* ---- choosing ---- */

static void node_offer(struct node *n, int thread) {
  n->thread = (u8)thread;
  n->fresh = false;
  if (!options.replay) n->at = 0;
  if (n != path) n->first = n[-1].first + n[-1].count;
  n->mark = memory_mark(now.thread[thread].op);
  n->count =
      (u16)memory_choices(thread, now.thread[thread].op, n->sleep[thread], choices + n->first, CHOICES - (int)n->first);
}

/* The node at the end of the path; NULL: nobody can go on, `outcome` says why. */
static struct node *node_make(void) {
  if (path_length == NODES) model_fail("an endless execution");
  struct node *n = &path[path_length];
  memset(n, 0, sizeof *n);
  if (path_length) {
    const struct node *above = n - 1;
    memcpy(n->sleep, above->sleep, sizeof n->sleep);
    n->sleep[above->thread] = AWAKE;
  }
  if (options.unreduced) memset(n->sleep, 0, sizeof n->sleep);
  bool asleep = false, finished = true;
  for (int t = 0; t < now.threads; t++) {
    if (has_choice(t, n->sleep[t]))
      n->awake |= (u8)(1u << t);
    else
      asleep = asleep || has_choice(t, AWAKE);
    finished = finished && (now.thread[t].finished || now.thread[t].stopped);
  }
  if (!n->awake) {
    outcome = finished ? COMPLETE : BLOCKED;
    bool forking = alone_ahead();
    if (!finished && !asleep && !forking) model_fail("deadlock: every thread waits");
    if (forking && !options.unreduced) races_of_waiting();
    return NULL;
  }
  int first = now.current != NO && n->awake >> now.current & 1 ? now.current : __builtin_ctz(n->awake);
  n->backtrack = options.unreduced ? n->awake : (u8)(1u << first);
  node_offer(n, first);
  path_length++;
  return n;
}

/* Performs the next transition.  Returns whose it was; NO: the execution is over. */
static int step(void) {
  struct node *n = &path[depth];
  bool fresh = depth >= known;
  if (depth == path_length) {
    n = node_make();
    if (!n) return NO;
  } else if (n->fresh) {
    if (!has_choice(n->thread, n->sleep[n->thread]))
      model_fail("the schedule does not fit: thread %c waits", 'a' + n->thread);
    node_offer(n, n->thread);
    if (n->at >= n->count) model_fail("the schedule does not fit: no such store");
  }
  int thread = n->thread;
  now.current = thread;
  struct op *op = now.thread[thread].op;
  now.thread[thread].op = NULL;
  memory_perform(thread, op, choices[n->first + n->at], depth);
  depth++;
  if (fresh && !options.unreduced) races_of(now.events - 1);
  return thread;
}

void search_backtrack(int node, unsigned initials) {
  struct node *n = &path[node];
  if (n->backtrack & initials) return;
  int thread = __builtin_ctz(initials);
  n->backtrack |= (u8)(1u << thread);
}

/* To the next execution.  false: that was the last one. */
static bool advance(void) {
  while (path_length) {
    struct node *n = &path[path_length - 1];
    if (n->at + 1 < n->count) {
      n->at++;
      known = path_length - 1;
      return true;
    }
    n->sleep[n->thread] = n->mark;
    n->done |= (u8)(1u << n->thread);
    unsigned left = n->backtrack & ~n->done & n->awake;
    if (left) {
      n->thread = (u8)__builtin_ctz(left);
      n->fresh = true;
      known = path_length - 1;
      return true;
    }
    path_length--;
  }
  return false;
}

/* ---- threads ---- */

static void leave(int from) {
  now.in_model = false;
  fibre_switch(from, T + 1);
}

void search_visible(struct op *op) {
  int me = now.current;
  now.in_model = false;
  now.thread[me].op = op;
  if (starting) {
    leave(me);
  } else {
    int next = step();
    if (next != me) fibre_switch(me, next == NO ? T + 1 : next);
  }
  now.current = me;
  now.in_model = true;
}

static void run_thread(void) {
  int me = now.current;
  now.in_model = true;
  if (!sites_absent(me)) model_current.thread[me]();
  now.in_model = false;
  now.thread[me].finished = true;
  if (starting) {
    leave(me);
  } else {
    int next = step();
    fibre_switch(me, next == NO ? T + 1 : next);
  }
  abort();
}

static void (*alone)(void);
static void run_alone(void) {
  now.in_model = true;
  if (alone) alone();
  leave(T);
}

static void run_outside(void (*function)(void)) {
  alone = function;
  now.current = NO;
  fibre_make(T, run_alone);
  fibre_switch(T + 1, T);
}

static void execute(void) {
  now.number++;
  now.events = 0;
  now.hash = 0;
  memset(&now.fences, 0, sizeof now.fences);
  memset(now.thread, 0, sizeof now.thread);
  now.hashing = options.graphs;
  memory_start();
  wrap_start();
  fibre_start();
  depth = 0;
  alone_start();
  memory_restart = false;
  run_outside(model_current.setup);
  for (int t = 0; t < now.threads; t++) now.thread[t].now = 1;
  starting = true;
  for (int t = 0; t < now.threads; t++) {
    now.current = t;
    fibre_make(t, run_thread);
    fibre_switch(T + 1, t);
  }
  starting = false;
  now.current = NO;
  int first = step();
  if (first != NO) fibre_switch(T + 1, first);
  if (outcome == COMPLETE) run_outside(model_current.final);
}

static void collect(void) {
  if (search_hash_count == hash_room) {
    hash_room = hash_room ? 2 * hash_room : 1 << 12;
    search_hashes = realloc(search_hashes, hash_room * sizeof *search_hashes);
    if (!search_hashes) abort();
  }
  search_hashes[search_hash_count++] = now.hash;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void bookkeep(void) {
  result->executions++;
  if (depth > result->depth) result->depth = depth;
  if (outcome == BLOCKED) result->blocked++;
  if (outcome == COMPLETE) {
    result->graphs++;
    if (options.graphs) collect();
  }
}

void search_run(const struct scenario *s, const struct search_options *o, struct result *r) {
  static bool up;
  if (!up) {
    fibre_setup();
    catch_faults();
    now.event = malloc(EVENTS * sizeof *now.event);
    if (!now.event) abort();
    up = true;
  }
  model_current = *s;
  options = *o;
  result = r;
  memset(r, 0, sizeof *r);
  search_hash_count = 0;
  now.threads = 0;
  while (now.threads < T && s->thread[now.threads]) now.threads++;
  path_length = known = 0;
  double begin = seconds();
  in_execution = true;
  if (options.replay && !search_load(options.replay)) model_fail("not a schedule: %s", options.replay);
  for (;;) {
    outcome = COMPLETE;
    now.noting = true;
    if (sigsetjmp(host, 0) == 0)
      execute();
    else
      fibre_host();
    now.in_model = now.noting = false;
    if (memory_restart) {
      undo_all();
      path_length = known = 0;
      memset(r, 0, sizeof *r);
      search_hash_count = 0;
      continue;
    }
    bookkeep();
    if (outcome == BROKEN) {
      r->verdict = FAILED;
      if (!options.quiet) report_failure(r);
      undo_all();
      break;
    }
    undo_all();
    if (options.replay || (options.limit && r->executions >= options.limit)) {
      r->verdict = INCOMPLETE;
      break;
    }
    if (!advance()) break; /* EXHAUSTIVE */
  }
  in_execution = false;
  r->seconds = seconds() - begin;
}

/* ---- schedules as text: a letter a thread, /k where not the newest is read, a number of repetitions ---- */

int search_schedule(char *out, size_t room) {
  size_t n = 0;
  out[0] = 0;
  for (int i = 0; i < depth && n + 24 < room;) {
    int same = 1;
    while (i + same < depth && path[i + same].thread == path[i].thread && path[i + same].at == path[i].at) same++;
    n += (size_t)snprintf(out + n, room - n, "%c", 'a' + path[i].thread);
    if (path[i].at) n += (size_t)snprintf(out + n, room - n, "/%u.", path[i].at);
    if (same > 1) n += (size_t)snprintf(out + n, room - n, "%d", same);
    i += same;
  }
  return (int)n;
}

bool search_load(const char *text) {
  while (*text) {
    if (*text < 'a' || *text >= 'a' + T) return false;
    int thread = *text++ - 'a';
    unsigned long at = 0, same = 1;
    char *end;
    if (*text == '/') {
      at = strtoul(text + 1, &end, 10);
      if (*end != '.') return false;
      text = end + 1;
    }
    if (*text >= '0' && *text <= '9') {
      same = strtoul(text, &end, 10);
      text = end;
    }
    for (; same; same--) {
      if (path_length == NODES) return false;
      path[path_length++] = (struct node){.thread = (u8)thread, .fresh = true, .at = (u16)at, .done = 0xff};
    }
  }
  return true;
}
