/* SPDX-License-Identifier: MIT */
/*
 * What check-asan.sh, check-tsan.sh, check-msan.sh, check-lsan.sh and check-valgrind.sh have compiled and run under
 * their tool: one fault, named by the argument, in memory of copse's; `none` has no fault.  The functions' names are
 * looked for in the reports.  The process ends with status 0 unless the tool says otherwise.
 */
#include "copse.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

__attribute__((weak)) void __asan_poison_memory_region(const volatile void *p, size_t n);

#define apart __attribute__((noinline))

static volatile int sink;
static __thread void *volatile kept; /* what no compiler may reason about */
static volatile int shared; /* what threads race for */

static apart char *allocate_here(size_t size) {
  char *p = copse_alloc(size);
  if (!p) exit(3);
  kept = p;
  return kept;
}

static apart void free_here(void *p, size_t size) { copse_free(p, size); }
static apart void write_here(char *p, long at) { *(volatile char *)(p + at) = 1; }
static apart int branch_here(const char *p, long at) {
  if (*(const volatile char *)(p + at) == 3) sink = 1;
  return 0;
}

/* Order of events without an edge: what is relaxed makes none. */
static int step;
static void reach(int n) { __atomic_store_n(&step, n, __ATOMIC_RELAXED); }
static void wait_for(int n) {
  while (__atomic_load_n(&step, __ATOMIC_RELAXED) < n) usleep(1000);
}

static void both(void *(*first)(void *), void *(*second)(void *), void *p) {
  pthread_t a, b;
  if (pthread_create(&a, NULL, first, p) || pthread_create(&b, NULL, second, p)) exit(3);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
}

/* ---- one thread ---- */

static void fault_none(void) {
  for (size_t size = 1; size < 3000000; size += size / 3 + 1) {
    char *p = allocate_here(size);
    memset(p, 1, size);
    p = copse_realloc(p, size, size + 100);
    if (!p) exit(3);
    branch_here(p, 0);
    branch_here(p, (long)size - 1);
    free_here(p, size + 100);
    p = copse_alloc_zeroed(size);
    if (!p) exit(3);
    branch_here(p, (long)size / 2);
    copse_free_unsized(p);
  }
  char *aligned = copse_alloc_aligned(100, 4096);
  if (!aligned) exit(3);
  memset(aligned, 1, 100);
  copse_free_aligned(aligned, 100, 4096);
  copse_trim();
}

/* Where copse's own frames come to lie others have been, and left what nobody wrote. */
static apart void *leave_unwritten(void *argument) {
  char text[64 << 10];
  kept = text;
  return argument;
}
static void *unwritten_thread(void *argument) {
  int nowhere = open("/dev/null", O_WRONLY);
  (void)leave_unwritten(argument);
  fault_none();
  (void)leave_unwritten(argument);
  if (copse_heap_write(nowhere) != 0 || close(nowhere) != 0) exit(3);
  return argument;
}
static void fault_unwritten_stack(void) {
  (void)unwritten_thread(NULL);
  both(unwritten_thread, unwritten_thread, NULL);
}

/* Such a value may be in any register across a call, in that of frame pointers too: it is copied, and nothing hangs on it. */
static void fault_unwritten_registers(void) {
  volatile long *from = (void *)allocate_here(10 * sizeof *from);
  long a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5], g = from[6], h = from[7], i = from[8], j = from[9];
  copse_free((void *)from, 10 * sizeof *from);
  volatile long *to = copse_alloc(10 * sizeof *to);
  if (!to) exit(3);
  to[0] = a, to[1] = b, to[2] = c, to[3] = d, to[4] = e, to[5] = f, to[6] = g, to[7] = h, to[8] = i, to[9] = j;
  copse_free((void *)to, 10 * sizeof *to);
}

/* Nor is an argument of a function of the program's that copse calls what an earlier call had in its place. */
struct partly {
  int unwritten, written, more_unwritten[2];
};
static int by_value(long first, struct partly partly) { return partly.written + (int)first; }
static int (*volatile pass_by_value)(long first, struct partly partly) = by_value; /* so that no part of it is left out */
static apart void pass_unwritten(void) {
  struct partly partly;
  partly.written = 1;
  kept = &partly;
  sink = pass_by_value(1, partly);
}
static int visited(const struct copse_block *blocks, size_t n, void *context) {
  if (!blocks || !n || context != &sink) exit(3);
  return 0;
}
static void misused(const struct copse_misuse *misuse, void *context) {
  if (!misuse || context != &sink) exit(3);
}
static void fault_called_back(void) {
  char *p = allocate_here(40);
  pass_unwritten();
  copse_heap_walk(visited, (void *)&sink);
  copse_on_misuse(misused, (void *)&sink);
  free_here(p, 40);
  for (int i = 0; i < 2; i++) { /* the first time the symbolizer is started, which makes calls of its own */
    pass_unwritten();
    copse_free_unsized(p);
  }
}

static void fault_overflow(void) { write_here(allocate_here(13), 13); }
static void fault_overflow_16(void) { write_here(allocate_here(16), 16); }
/* The second: before the first there may be a page without access. */
static void fault_underflow(void) {
  allocate_here(48);
  write_here(allocate_here(48), -1);
}
static void fault_far(void) {
  write_here(allocate_here(24), 40000);
} /* beyond all that is committed, or never handed out */
static void fault_span_overflow(void) { write_here(allocate_here(3000001), 3000001); }

static void fault_after_free(void) {
  char *p = allocate_here(40);
  free_here(p, 40);
  write_here(p, 7);
}

static void fault_after_realloc(void) {
  char *p = allocate_here(40), *q = copse_realloc(p, 40, 44);
  if (!q) exit(3);
  write_here(kept, 7);
}

/* What its owner has told the tool to be out of bounds for now moves with the rest, as malloc's realloc has it. */
static void fault_fenced(void) {
  for (size_t size = 4096; size < 4000000; size *= 900) {
    char *p = allocate_here(size), *fence = p + 104;
    memset(p, 1, size);
    if (__asan_poison_memory_region) __asan_poison_memory_region(fence, 999);
#ifdef VALGRIND_MAKE_MEM_NOACCESS
    VALGRIND_MAKE_MEM_NOACCESS(fence, 999);
#endif
    p = copse_realloc(p, size, size + 77);
#ifdef VALGRIND_MAKE_MEM_DEFINED
    VALGRIND_MAKE_MEM_DEFINED(p + 104, 999);
#endif
    for (size_t i = 0; i < size; i++)
      if (p[i] != 1) exit(3);
    free_here(p, size + 77);
  }
}

static void fault_span_after_free(void) {
  char *p = allocate_here(3000000);
  free_here(p, 3000000);
  write_here(p, 1000000);
}

static void fault_uninitialised(void) { branch_here(allocate_here(40), 8); }

/* That it is not: must not be reported. */
static void fault_zeroed(void) {
  char *p = copse_alloc_zeroed(40);
  if (p) branch_here(p, 8);
  p = copse_alloc_zeroed(100000);
  if (p) branch_here(p, 99999);
}

/* The second life of memory that was written to in its first. */
static void fault_uninitialised_again(void) {
  char *p = allocate_here(40);
  memset(p, 1, 40);
  free_here(p, 40);
  copse_tune_set("quarantine", 0);
  for (int i = 0; i < 1000; i++) branch_here(allocate_here(40), 8);
}

static void fault_freed_is_uninitialised(void) {
  char *p = allocate_here(40);
  memset(p, 1, 40);
  free_here(p, 40);
  branch_here(p, 8);
}

/* ---- behind the end ---- */

/* The last that runs of a program: what a stream of its own still holds is written. */
static void use_copse(size_t rounds) {
  for (size_t i = 1; i <= rounds; i++) {
    size_t size = i % 9 ? i * 37 % 5000 : 3000000;
    char *p = copse_alloc(size);
    if (!p) exit(3);
    p[0] = 1;
    branch_here(p, 0);
    copse_free(p, size);
  }
}
static void *uses_copse(void *unused) {
  for (;;) {
    use_copse(1000);
    reach(1);
  }
  return unused;
}
static ssize_t write_late(void *unused, const char *text, size_t n) {
  (void)unused, (void)text;
  use_copse(1000);
  copse_checkpoint();
  copse_trim();
  usleep(300000);
  return (ssize_t)n;
}
static void fault_late(void) {
  FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_late});
  use_copse(1000);
  if (!stream || fputs("something", stream) < 0) exit(3);
}
/* And while a thread runs on. */
static void fault_late_beside(void) {
  pthread_t thread;
  fault_late();
  if (pthread_create(&thread, NULL, uses_copse, NULL) || pthread_detach(thread)) exit(3);
  wait_for(1);
}

/* ---- leaks ---- */

static char *holder;
static apart void hide_in_slot(void) {
  holder = allocate_here(64);
  void *inner = malloc(77);
  memcpy(holder, &inner, sizeof inner);
  kept = NULL;
}
/* Overwrites what is left of pointers on the stack. */
static apart void clear_stack(void) {
  volatile char rubbish[8192];
  for (size_t i = 0; i < sizeof rubbish; i++) rubbish[i] = 0;
}
static void fault_reachable(void) {
  hide_in_slot();
  clear_stack();
}
static void fault_leak_malloc(void) {
  hide_in_slot();
  clear_stack();
  memset(holder, 0, 8);
}
static apart void lose_here(void) {
  char *p = allocate_here(123);
  p[0] = 1;
  kept = NULL;
}
static void fault_leak(void) {
  lose_here();
  clear_stack();
}

/* ---- threads ---- */

static void *race_one(void *p) {
  write_here(p, 5);
  reach(1);
  return NULL;
}
static void *race_two(void *p) {
  wait_for(1);
  write_here(p, 5);
  return NULL;
}
static void fault_race(void) { both(race_one, race_two, allocate_here(40)); }

/* A race for `shared`, between two threads that copse's own locks would seem to order. */
static void *hidden_one(void *unused) {
  (void)unused;
  char *p = allocate_here(40);
  shared = 1;
  copse_free(p, 40);
  copse_thread_flush(); /* takes, and gives, the lock that the other thread takes for its first slot */
  reach(1);
  wait_for(2);
  return NULL;
}
static void *hidden_two(void *unused) {
  (void)unused;
  wait_for(1);
  char *q = allocate_here(40);
  shared = 2;
  copse_free(q, 40);
  reach(2);
  return NULL;
}
static void fault_race_hidden(void) { both(hidden_one, hidden_two, NULL); }

static void *frees(void *p) {
  free_here(p, 40);
  reach(1);
  return NULL;
}
static void fault_after_free_elsewhere(void) { both(frees, race_two, allocate_here(40)); }

/* Bundles go from a thread to another through the recycler, and nothing else does: what each did to a slot is ordered.
 */
enum { MANY = 64 * 12 };
static void *recycles(void *unused) {
  (void)unused;
  static char *p[MANY];
  for (int i = 0; i < MANY; i++) p[i] = allocate_here(40);
  for (int i = 0; i < MANY; i++) *p[i] = 1;
  for (int i = 0; i < MANY; i++) free_here(p[i], 40);
  reach(1);
  wait_for(2);
  return NULL;
}
static void *takes(void *unused) {
  (void)unused;
  wait_for(1);
  for (int i = 0; i < MANY; i++) write_here(allocate_here(40), 0);
  reach(2);
  return NULL;
}
static void fault_recycled(void) {
  copse_tune_set("quarantine", 0);
  both(recycles, takes, NULL);
}

/* Many threads at work, none at fault. */
static void *works(void *seed) {
  unsigned x = (unsigned)(size_t)seed;
  char *held[64] = {NULL};
  size_t sizes[64];
  for (int i = 0; i < 20000; i++) {
    x = x * 1103515245u + 12345u;
    int k = (int)(x >> 16) & 63;
    if (held[k]) {
      held[k][0]++;
      copse_free(held[k], sizes[k]);
      held[k] = NULL;
    } else {
      sizes[k] = ((x >> 8) & 1023) + 1;
      held[k] = copse_alloc(sizes[k]);
      if (!held[k]) exit(3);
      held[k][0] = 1;
    }
    if (i % 5000 == 0) copse_trim();
  }
  for (int k = 0; k < 64; k++)
    if (held[k]) copse_free(held[k], sizes[k]);
  return NULL;
}
static void fault_busy(void) {
  pthread_t threads[4];
  for (size_t i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, works, (void *)(i + 1))) exit(3);
  for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

/* A mutex far inside a span, that nobody destroyed, is forgotten with it: another one there may be taken in another order. */
static void in_order(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}
static pthread_mutex_t *mutex_far_inside(char *span) {
  static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
  return memcpy(span + (30 << 20), &fresh, sizeof fresh);
}
static void fault_relocked(void) {
  static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
  char *p = allocate_here(40 << 20), *before = p;
  in_order(mutex_far_inside(p), &other);
  free_here(p, 40 << 20);
  copse_trim();
  p = allocate_here(40 << 20);
  if (p != before) exit(3);
  in_order(&other, mutex_far_inside(p));
  free_here(p, 40 << 20);
}

#define FAULT(name)                                                                                                    \
  { #name, fault_##name }
static const struct {
  const char *name;
  void (*run)(void);
} faults[] = {
    FAULT(none),
    FAULT(unwritten_stack),
    FAULT(unwritten_registers),
    FAULT(called_back),
    FAULT(overflow),
    FAULT(overflow_16),
    FAULT(underflow),
    FAULT(far),
    FAULT(span_overflow),
    FAULT(after_free),
    FAULT(after_realloc),
    FAULT(fenced),
    FAULT(span_after_free),
    FAULT(uninitialised),
    FAULT(zeroed),
    FAULT(uninitialised_again),
    FAULT(freed_is_uninitialised),
    FAULT(late),
    FAULT(late_beside),
    FAULT(reachable),
    FAULT(leak_malloc),
    FAULT(leak),
    FAULT(race),
    FAULT(race_hidden),
    FAULT(after_free_elsewhere),
    FAULT(recycled),
    FAULT(busy),
    FAULT(relocked),
};

/* For the parameter `tsan`, which must be set before anything else. */
int main(int argc, char **argv) {
  if (argc > 2 && copse_tune_set(argv[2], strtoull(argv[3], NULL, 10)) != 0) return 4;
  for (size_t i = 0; argc > 1 && i < sizeof faults / sizeof *faults; i++)
    if (strcmp(argv[1], faults[i].name) == 0) {
      faults[i].run();
      fprintf(stderr, "came to its end\n");
      return 0;
    }
  fprintf(stderr, "no such fault\n");
  return 5;
}
