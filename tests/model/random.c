/* SPDX-License-Identifier: MIT */
/*
 * A checker of the checker: random small programs, whose graphs are found twice, by the reduced search and by one that
 * goes through every interleaving.  Both must find the same set, and the reduced one each graph once. The programs are
 * interpreted, and this file is not compiled like the code under test: it calls the runtime itself.
 */
#include "engine.h"
#include "random.h"
#include "sites.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 4, PLACES = 3 };

struct instruction {
  enum kind kind;
  int place, order, failure;
  unsigned half; /* of the wide place: 0 all, 1, 2 */
  u64 value, expected;
  bool from_last; /* expects what was read last */
  bool if_last;   /* only if what was read last is odd */
};
static struct {
  bool forks; /* the first thread goes on alone at its end */
  bool weak;  /* a compare-and-swap in each thread may fail for no reason */
  int threads, steps[T];
  struct instruction step[T][STEPS];
} program;

static u128 wide __attribute__((aligned(16)));
static u64 narrow[PLACES];
static pthread_mutex_t mutex;

int __tsan_atomic64_compare_exchange_strong(volatile u64 *, u64 *, u64, int, int);
int __tsan_atomic64_compare_exchange_weak(volatile u64 *, u64 *, u64, int, int);
u64 __tsan_atomic64_load(const volatile u64 *, int);
void __tsan_atomic64_store(volatile u64 *, u64, int);
u64 __tsan_atomic64_exchange(volatile u64 *, u64, int);
u64 __tsan_atomic64_fetch_add(volatile u64 *, u64, int);
int __tsan_atomic128_compare_exchange_strong(volatile u128 *, u128 *, u128, int, int);
u128 __tsan_atomic128_load(const volatile u128 *, int);
void __tsan_atomic128_store(volatile u128 *, u128, int);
void __tsan_atomic_thread_fence(int);

static u64 run_wide(const struct instruction *i, u64 last) {
  u64 *half = (u64 *)&wide + (i->half == 2);
  u128 expected = (u128)(i->from_last ? last : i->expected) << 64 | (i->from_last ? last : i->expected);
  switch (i->kind) {
  case STORE:
    __tsan_atomic128_store(&wide, (u128)i->value << 64 | i->value, i->order);
    return last;
  case CAS:
    return (u64)__tsan_atomic128_compare_exchange_strong(&wide, &expected, (u128)i->value << 64 | i->value, i->order,
                                                         i->failure);
  default:
    return i->half ? __tsan_atomic64_load(half, i->order) : (u64)__tsan_atomic128_load(&wide, i->order);
  }
}

static u64 run_one(const struct instruction *i, u64 last) {
  u64 *p = &narrow[i->place], expected = i->from_last ? last : i->expected;
  if (i->kind == FENCE) {
    __tsan_atomic_thread_fence(i->order);
    return last;
  }
  if (i->kind == CHOOSE) return model_choose(2);
  if (i->place == PLACES - 1) return run_wide(i, last);
  switch (i->kind) {
  case STORE:
    __tsan_atomic64_store(p, i->value, i->order);
    return last;
  case EXCHANGE:
    return __tsan_atomic64_exchange(p, i->value, i->order);
  case ADD:
    return __tsan_atomic64_fetch_add(p, i->value, i->order);
  case CAS:
    if (program.weak)
      __tsan_atomic64_compare_exchange_weak(p, &expected, i->value, i->order, i->failure);
    else
      __tsan_atomic64_compare_exchange_strong(p, &expected, i->value, i->order, i->failure);
    return expected;
  case LOCK: {
    pthread_mutex_lock(&mutex);
    u64 read = __tsan_atomic64_load(p, RELAXED);
    pthread_mutex_unlock(&mutex);
    return read;
  }
  default:
    return __tsan_atomic64_load(p, i->order);
  }
}

static void run(void) {
  int me = model_thread();
  u64 last = 0;
  for (int i = 0; i < program.steps[me]; i++) {
    const struct instruction *step = &program.step[me][i];
    if (step->if_last && !(last & 1)) continue;
    last = run_one(step, last);
  }
}

/* The first thread of a program that forks: what it finds where the others were left. */
static void run_child(void) {
  const struct instruction first = program.step[0][0];
  run_one(&first, 0);
  pthread_mutex_lock(&mutex);
  model_survive();
  for (int i = 0; i < PLACES - 1; i++) __tsan_atomic64_load(&narrow[i], RELAXED);
  __tsan_atomic128_load(&wide, RELAXED);
  pthread_mutex_unlock(&mutex);
}

static void clean(void) {
  wide = 0;
  memset(narrow, 0, sizeof narrow);
}

/* ---- programs ---- */

static u64 seed;
static unsigned draw(unsigned n) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (unsigned)(seed >> 20) % n;
}

static int draw_order(enum kind kind) {
  static const int loads[] = {RELAXED, ACQUIRE, ACQUIRE, SEQ_CST}, stores[] = {RELAXED, RELEASE, RELEASE, SEQ_CST},
                   both[] = {RELAXED, ACQUIRE, RELEASE, ACQ_REL}, fences[] = {ACQUIRE, RELEASE, ACQ_REL, SEQ_CST};
  unsigned i = draw(kind == LOAD || kind == STORE ? 13 : 4);
  if (i > 3) i %= 3;
  return kind == LOAD ? loads[i] : kind == STORE ? stores[i] : kind == FENCE ? fences[i] : both[i];
}

static void make_program(u64 number) {
  static const enum kind kinds[] = {LOAD, LOAD, LOAD,     STORE, STORE, STORE, CAS,
                                    CAS,  CAS,  EXCHANGE, ADD,   LOCK,  FENCE, CHOOSE};
  seed = number * 0x9e3779b97f4a7c15u + 0x1234567;
  for (int i = 0; i < 8; i++) draw(2);
  program.threads = 2 + (int)draw(2);
  program.forks = number % 8 == 0;
  program.weak = number % 8 == 1;
  unsigned places = 1 + draw(PLACES);
  bool mutexes = draw(4) == 0 || program.forks, extras = draw(3) == 0;
  for (int t = 0; t < program.threads; t++) {
    program.steps[t] = program.threads == 2 ? 2 + (int)draw(STEPS - 1) : 1 + (int)draw(3);
    for (int i = 0; i < program.steps[t]; i++) {
      enum kind kind = kinds[draw(mutexes ? 12 : extras ? 14 : 11)];
      if (kind == LOCK && !mutexes) kind = LOAD;
      program.step[t][i] = (struct instruction){.kind = kind,
                                                .place = PLACES - 1 - (int)draw(places),
                                                .order = draw_order(kind),
                                                .failure = draw(2) ? ACQUIRE : RELAXED,
                                                .half = draw(3),
                                                .value = draw(3),
                                                .expected = draw(3),
                                                .from_last = draw(3) == 0,
                                                .if_last = draw(6) == 0};
    }
  }
}

static void print_program(void) {
  printf("%s%s", program.forks ? "  thread a forks after its first instruction\n" : "",
         program.weak ? "  weak compare-and-swaps\n" : "");
  for (int t = 0; t < program.threads; t++)
    for (int i = 0; i < program.steps[t]; i++) {
      const struct instruction *s = &program.step[t][i];
      printf("  %c: %s%s place %d%s half %u order %d/%d value %llu expected %llu%s\n", 'a' + t,
             s->if_last ? "if odd: " : "", site_kinds[s->kind], s->place, s->place == PLACES - 1 ? " (wide)" : "",
             s->half, s->order, s->failure, (unsigned long long)s->value, (unsigned long long)s->expected,
             s->from_last ? " (what was read)" : "");
    }
}

static int compare(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return x < y ? -1 : x > y;
}

static u64 *take_graphs(size_t *n) {
  u64 *copy = malloc((search_hash_count + 1) * sizeof *copy);
  if (!copy) abort();
  memcpy(copy, search_hashes, search_hash_count * sizeof *copy);
  qsort(copy, search_hash_count, sizeof *copy, compare);
  *n = search_hash_count;
  return copy;
}

static size_t unique(u64 *of, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (!kept || of[kept - 1] != of[i]) of[kept++] = of[i];
  return kept;
}

bool random_compare(const struct scenario *s, u64 limit, struct random_sums *sums) {
  struct search_options o = {.limit = limit, .graphs = true, .quiet = true, .unreduced = true};
  static struct result all, reduced;
  if (s->once) s->once();
  search_run(s, &o, &all);
  if (all.verdict == INCOMPLETE) {
    sums->too_large++;
    return true;
  }
  size_t n, m;
  u64 *every = take_graphs(&n);
  n = unique(every, n);
  o.unreduced = false;
  o.limit = 0;
  search_run(s, &o, &reduced);
  u64 *some = take_graphs(&m);
  size_t once = unique(some, m);
  bool same = all.verdict == EXHAUSTIVE && reduced.verdict == EXHAUSTIVE && once == m && n == m &&
              !memcmp(every, some, n * sizeof *every);
  sums->programs++;
  sums->graphs += n;
  sums->interleavings += all.executions;
  sums->executions += reduced.executions;
  sums->blocked += reduced.blocked;
  if (!same)
    printf("%s: %zu graphs in %llu interleavings, reduced search %zu, of which %zu different%s%s\n", s->name, n,
           (unsigned long long)all.executions, m, once, all.message, reduced.message);
  free(every);
  free(some);
  return same;
}

bool random_check(u64 number, u64 limit, struct random_sums *sums) {
  char name[64];
  struct scenario s = {.name = name, .setup = clean};
  snprintf(name, sizeof name, "random program %llu", (unsigned long long)number);
  make_program(number);
  for (int t = 0; t < program.threads; t++) s.thread[t] = run;
  s.forks = program.forks;
  s.spurious = program.weak;
  if (s.forks) s.thread[0] = run_child;
  bool same = random_compare(&s, limit, sums);
  if (!same) print_program();
  return same;
}
