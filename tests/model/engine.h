/* SPDX-License-Identifier: MIT */
/*
 * What the files of the checker share.
 *
 * An execution is a list of events.  Those that need a decision (who goes on, which store is read) each have a node of
 * the search; unlocking and fences that need none are events without a node.
 */
#ifndef MODEL_ENGINE_H
#define MODEL_ENGINE_H

#include "model.h"

typedef unsigned __int128 u128;
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef uintptr_t uptr;

enum { T = MODEL_THREADS, EVENTS = 1 << 15, NO = -1 };

/* How far each thread is known to have come. */
struct clock {
  u32 at[T];
};
static inline void clock_join(struct clock *c, const struct clock *o) {
  for (int i = 0; i < T; i++)
    if (c->at[i] < o->at[i]) c->at[i] = o->at[i];
}

enum order { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };
static inline bool acquires(int o) { return o == ACQUIRE || o == CONSUME || o >= ACQ_REL; }
static inline bool releases(int o) { return o >= RELEASE; }

enum kind { LOAD, STORE, EXCHANGE, ADD, SUB, AND, OR, XOR, NAND, CAS, LOCK, UNLOCK, CHOOSE, FENCE, STOP, SURVIVE };

/* One store to a place, in modification order. */
struct store {
  u128 value;
  struct clock order;    /* program order, reads-from and modification order: the search's order */
  struct clock hb, seen; /* what whoever acquires it learns: happens-before, and with the fences' order */
  int thread;            /* NO: it was there before the threads */
  u32 at;
  int event;
  bool plain, pending; /* pending: a plain store whose value is in memory by the next look */
};

/* Who read or wrote a place, and which store. */
struct access {
  u32 at;
  int store, event;
  u8 thread, half;
  bool read;
};

/* A place in memory that atomics name: or a mutex, or the order of seq_cst fences. */
struct place {
  uptr base;
  unsigned size;
  bool mutex, commutes;
  int holder;
  struct store *stores;
  int count, room;
  struct access *accesses;
  int access_count, access_room;
  int next; /* in the hash's list */
};

struct op {
  enum kind kind;
  int order, failure;
  struct place *place;
  unsigned half; /* bytes of the place, in eights: 1 low, 2 high */
  unsigned size;
  bool weak;
  u128 operand, expected;
  uptr pc;
  /* Results. */
  u128 result;
  bool done;
};

struct event {
  u8 thread;
  bool wrote;
  u32 at;
  int node; /* NO: it needed no decision */
  struct op op;
  int read, store;            /* places in the modification order; NO */
  struct clock order, before; /* the search's order, with it and without its own edges */
  u128 value;
};

struct thread {
  bool started, finished;
  unsigned spurious; /* weak compare-and-swaps that failed for no reason */
  bool stopped;      /* for ever: it is not in the child of a fork */
  u32 now;           /* the number of its next event; what is done before it counts as this */
  struct clock order;
  struct clock hb, seen;                 /* what happened before; and what it must not overlook */
  struct clock acquire_hb, acquire_seen; /* what an acquire fence would learn */
  struct clock release_hb, release_seen; /* what a release fence published */
  struct op *op;                         /* what it is about to do */
};

struct execution {
  struct thread thread[T];
  int threads, current; /* current: NO in setup and final check */
  bool in_model;        /* accesses are tracked */
  bool noting;          /* stores are noted, to be taken back */
  struct event *event;
  int events;
  u32 number; /* of the execution, from 1 on: stamps */
  struct clock fences;
  u64 hash; /* of the graph */
  bool hashing;
};
extern struct execution now;
extern struct scenario model_current;

/* ---- places.c ---- */
void memory_start(void); /* a new execution */
struct place *memory_place(uptr address, unsigned size, unsigned *half);
struct place *memory_mutex(uptr address);
struct place *memory_fence_place(void);
/* Each place, mutexes aside, that has some of these bytes. */
void memory_places(uptr address, size_t n, void (*each)(struct place *));
u128 memory_value(uptr base, unsigned size);
struct store *memory_store_push(struct place *p);
void memory_access_push(struct place *p, struct access a);
void memory_settle(struct place *p); /* a plain store came first, and its value was not known then */
extern bool memory_restart;          /* a place turned out to be wider than thought: begin anew */
void memory_commute(uptr address, size_t n);
bool memory_commutes(uptr address);

/* ---- memory.c ---- */
/* What the thread may do: places in modification order, newest first, none below `least`.  Returns how many. */
int memory_choices(int thread, const struct op *op, u32 least, int out[], int room);
/* Does it, by choice. */
void memory_perform(int thread, struct op *op, int choice, int node);
void memory_unlock(int thread, struct place *mutex, uptr pc);
void memory_fence(int thread, int order);
/* All that the other threads did happened before. */
void memory_survive(int thread);
void memory_plain_write(uptr address, size_t n);
/* What the operation makes of a value. */
u128 memory_modified(const struct op *op, u128 old);
u32 memory_mark(const struct op *op);            /* how many stores there are: what a sleeper has seen */
u128 memory_direct(struct op *op, uptr address); /* setup and final check */

/* ---- undo.c ---- */
void undo_note(uptr address, size_t n);
void undo_all(void);

/* ---- shadow.c ---- */
void shadow_access(int thread, uptr address, size_t n, bool write, bool atomic, uptr pc);
void shadow_unmap(int thread, uptr address, size_t n, uptr pc);
void shadow_reserve(uptr address, size_t n);                   /* from now on: pages without access */
void shadow_touch(uptr address);                               /* setup wrote there */
void shadow_zero(int thread, uptr address, size_t n, uptr pc); /* whole pages, given back */
void shadow_close(uptr address, size_t n);                     /* pages without access */
void shadow_open(int thread, uptr address, size_t n);

/* ---- fibre.c ---- */
void fibre_setup(void);
void fibre_make(int thread, void (*run)(void));
/* Leaves the one that runs (NO: the host), goes on with the other. */
void fibre_switch(int from, int to);
void fibre_start(void); /* a new execution: thread-local bytes are the first ones again */
bool fibre_local(uptr address);
bool fibre_owns(int thread, uptr address);
void fibre_host(void); /* after a jump out of a fibre */

/* ---- search.c ---- */
enum outcome { COMPLETE, BLOCKED, BROKEN, ENDLESS };
void search_visible(struct op *op); /* from a fibre */
struct result {
  enum verdict verdict;
  u64 executions, graphs, blocked, outcomes;
  int depth;
  double seconds;
  char message[512];
  char schedule[16384];
};
struct search_options {
  bool unreduced; /* every interleaving: to check the reduction */
  u64 limit;
  const char *replay;
  bool graphs; /* collect the hashes of graphs */
  bool quiet;
};
void search_run(const struct scenario *s, const struct search_options *options, struct result *result);
extern u64 *search_hashes;
extern size_t search_hash_count;
void search_restart(void) __attribute__((noreturn)); /* from the first execution on */
int search_schedule(char *out, size_t room);

/* ---- alone.c ---- */
void search_may_stop(uptr pc); /* in a scenario that forks: this thread does, for ever, or does not */

/* ---- report.c ---- */
void report_failure(const struct result *result);
const char *report_line(uptr pc); /* "file:line", of the place that called */

/* ---- sites.c: each atomic access and lock of the code under test, and what a mutant makes of it ---- */
enum change {
  AS_IT_IS,
  WEAKER,       /* another order */
  FAILS_WEAKER, /* of a compare-and-swap that fails */
  LEFT_OUT,     /* nothing is stored; the lock is not taken */
  IN_TWO,       /* a load and a store in place of a read-modify-write */
  LET_GO,       /* the lock is released as soon as it is taken */
  ABSENT        /* a thread does nothing */
};
enum change sites_atomic(uptr pc, enum kind kind, int *order, int *failure);
enum change sites_lock(uptr pc);
void sites_enter(uptr caller); /* a function, called from there */
bool sites_absent(int thread);

/* ---- wrap.c ---- */
void wrap_start(void);
struct fork_handlers {
  void (*prepare)(void), (*parent)(void), (*child)(void);
};
extern struct fork_handlers wrap_fork;

#endif
