/* SPDX-License-Identifier: MIT */
/*
 * A storm of forks while five threads work and trim.  The child finds each slot once, but for the one object that each of the other
 * threads was being given or gave back; what it inherited is whole, and it goes on working.
 */
#include "shelf.h"
#include "bundle.h"
#include "pool.h"
#include "state.h"
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 5, FORKS = 12, MINE = 600, NEW = 400 };
static struct shelf shelf = SHELF_INITIALIZER;
static struct object mine[MINE];
static bool over, trims;

static void work(struct hand *hand) {
  while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
    struct object o = {0};
    if (random_below(&hand->random, 2)) object_make(hand, random_size(&hand->random, 30000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
    if (trims && random_below(&hand->random, 2000) == 0) copse_trim();
    stress_breathe(hand);
  }
}

/* What an allocation and a free of the instrumented library have in their hands beside the object: the oldest one of the quarantine. */
#ifdef COPSE_INSTRUMENTED
enum { IN_HANDS = 2 * WORKERS };
#else
enum { IN_HANDS = WORKERS };
#endif

static void count_all(void) {
  static struct copse_stats stats;
  int64_t missing_all = 0;
  uint64_t lost_all = 0;
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    int64_t missing = (int64_t)(64 * c->blocks - c->quarantined - c->cached - c->free - c->detached - c->uncommitted - c->lost);
    for (unsigned i = 0; i < HANDS; i++) missing -= stress_hands[i].live[class];
    require(missing >= 0 && c->detached == 0);
    missing_all += missing;
    lost_all += c->lost;
  }
  require(missing_all <= IN_HANDS);
  /* A thread has a bundle in its hand, two where it exchanges them, and not all that it has cached.  A trim has much more. */
  require(trims || lost_all <= WORKERS * 2 * BUNDLE_SLOTS);
  stress_add("slots lost to children", lost_all);
  if (!trims) stress_most("slots lost to a child where nobody trims", lost_all);
  stress_add("objects in other threads' hands", (uint64_t)missing_all);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) require(copse_pool_valid(p));
}

static void child(struct hand *hand) {
  struct object fresh[NEW];
  alarm(stress_limit());
  count_all();
  for (unsigned i = 0; i < NEW; i++) object_make(hand, random_size(&hand->random, 30000), &fresh[i]);
  /* Had a new one been any of these, it would not be whole. */
  for (unsigned i = 0; i < MINE; i++) object_free(hand, &mine[i]);
  for (unsigned i = 0; i < NEW; i++) object_free(hand, &fresh[i]);
  copse_trim();
  require(copse_trim_pending() == 0);
  count_all();
}

static void one_round(struct hand *hand) {
  /* As copse(7) asks of a program that forks. */
  require(copse_tune_set("huge", 1) == 0);
  __atomic_store_n(&over, false, __ATOMIC_RELEASE);
  trims = random_below(&hand->random, 2);
  for (unsigned i = 0; i < MINE; i++) object_make(hand, random_size(&hand->random, i ? 30000 : 3000000), &mine[i]);
  crew_start(WORKERS, work, NULL);
  for (unsigned k = 0; k < LESS(FORKS); k++) {
    usleep((useconds_t)random_below(&hand->random, 1500));
    pid_t pid = fork();
    require(pid >= 0);
    if (pid == 0) {
      child(hand);
      _exit(0);
    }
    /* The storm: this thread works while the child does. */
    for (unsigned i = 0; i < MINE / 8; i++) {
      unsigned at = (unsigned)random_below(&hand->random, MINE);
      object_free(hand, &mine[at]);
      object_make(hand, random_size(&hand->random, 30000), &mine[at]);
    }
    int status;
    pid_t ended;
    do ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    require(ended == pid && status == 0);
    stress_add("forks", 1);
  }
  __atomic_store_n(&over, true, __ATOMIC_RELEASE);
  crew_join();
  for (unsigned i = 0; i < MINE; i++) object_free(hand, &mine[i]);
  shelf_clear(&shelf, hand);
}

const struct scenario stress_scenario = {
  "a storm of forks while five threads work and trim",
  0,
  one_round,
};
