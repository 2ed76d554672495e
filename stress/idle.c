/* SPDX-License-Identifier: MIT */
/*
 * Preemption: on one processor, threads that run only when nobody else wants to (SCHED_IDLE) share recyclers and pools with threads
 * that always may, and with one of real time where that is allowed.  All come to their end.
 */
#include "shelf.h"
#include <sched.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum { IDLE = 3, NORMAL = 4, STEPS = 4000 };
static struct shelf shelf = SHELF_INITIALIZER;

static void work(struct hand *hand) {
  struct sched_param parameter = {0};
  unsigned steps = LESS(STEPS);
  bool idle = hand->number <= IDLE, real_time = hand->number > IDLE + NORMAL;
  if (idle) {
    if (sched_setscheduler(0, SCHED_IDLE, &parameter) != 0) stress_skip("SCHED_IDLE", strerror(errno));
    steps /= 4;
  } else if (real_time) {
    parameter.sched_priority = 1;
    if (sched_setscheduler(0, SCHED_FIFO, &parameter) != 0) stress_skip("a thread of real time", strerror(errno));
    steps /= 4;
  }
  for (unsigned i = 0; i < steps; i++) {
    struct object o = {0};
    if (random_below(&hand->random, 2)) object_make(hand, random_size(&hand->random, 5000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
    if (random_below(&hand->random, 500) == 0) copse_trim();
    /* It sleeps and comes back in the middle of what the others do. */
    if (real_time) sched_yield();
  }
}

static void one_round(struct hand *hand) {
  static bool once;
  if (!once) {
    /* All threads inherit it. */
    cpu_set_t one;
    CPU_ZERO(&one);
    int cpu = sched_getcpu();
    CPU_SET(cpu < 0 ? 0 : cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) stress_skip("all on one processor", strerror(errno));
    once = true;
  }
  require(copse_tune_set("recycler", random_below(&hand->random, 3)) == 0);
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  crew(IDLE + NORMAL + 1, work, NULL);
  getrusage(RUSAGE_SELF, &after);
  shelf_clear(&shelf, hand);
  stress_add("preemptions", (uint64_t)(after.ru_nivcsw - before.ru_nivcsw));
}

const struct scenario stress_scenario = {
  "three threads of SCHED_IDLE, four others and one of real time on one processor",
  0,
  one_round,
};
