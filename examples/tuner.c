/* SPDX-License-Identifier: MIT */
/*
 * A tuner: watches what copse counts, and sets one parameter, "recycler", at a coarse cadence.  It is told nothing of the load.
 *
 *   bundles that threads hand to one another by the recycler cost a compare-and-swap; those that go home to a pool and come from
 *   it cost its lock, and 64 words.  So where a large share of all bundles goes by the pools, the recycler may keep more; where few
 *   bundles go round at all, it need not keep as many.
 *
 * It is slow on purpose.  A change wants the same answer several looks in a row (hysteresis), stays between bounds, and one that is
 * regretted makes the tuner wait twice as long before it tries the same again: so it comes to rest.
 *
 *   tuner [--steps N] [--objects N] [--then N [--every N]] [--fixed] [--hasty] [--verbose]
 *
 * The load: at each step one thread allocates a burst of objects, the other frees them all, as a loader and a simulation might.
 * --then: so many objects in the second half, or, with --every, in turns of so many steps.  --fixed: nothing is tuned.  --hasty: a tuner without patience, for comparison.
 * cc tuner.c $(pkg-config --cflags --libs copse) -pthread
 */
#include <copse.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the tuner ---- */

enum { LEAST = 4, MOST = 1000 };              /* bounds of what it sets */
enum { TOO_MANY = 10, FEW = 2 };              /* per cent of all bundles that go by the pools */
enum { LOOKS_UP = 2, LOOKS_DOWN = 8 };        /* looks in a row that want a change */
enum { PATIENCE_MOST = 1 << 20 };

struct tuner {
  uint64_t recycler;
  uint64_t by_pools, by_recycler;  /* bundles, at the last look */
  unsigned above, below;           /* looks in a row */
  unsigned patience;               /* looks that a cut wants; doubled by each that was regretted */
  unsigned since_cut;
  unsigned changes, turns;         /* how often it set something, and how often in the other direction than before */
  int direction;
  bool hasty;
};

static bool tuner_begin(struct tuner *t, bool hasty) {
  static struct copse_stats now;
  *t = (struct tuner){.patience = LOOKS_DOWN, .since_cut = PATIENCE_MOST, .hasty = hasty};
  if (copse_tune_get("recycler", &t->recycler) != 0) return false;
  copse_stats(&now);
  t->by_pools = now.refills + now.flushes;
  t->by_recycler = now.pushes + now.pops;
  return true;
}

static void set(struct tuner *t, uint64_t value, int direction) {
  if (value < LEAST) value = LEAST;
  if (value > MOST) value = MOST;
  if (value == t->recycler || copse_tune_set("recycler", value) != 0) return;
  t->turns += t->direction && t->direction != direction;
  t->direction = direction;
  t->recycler = value;
  t->changes++;
}

/* One look.  Returns how many per cent of the bundles since the last one went by the pools. */
static unsigned tuner_look(struct tuner *t) {
  static struct copse_stats now;
  copse_stats(&now);
  uint64_t pools = now.refills + now.flushes, recycler = now.pushes + now.pops;
  uint64_t by_pools = pools - t->by_pools, by_recycler = recycler - t->by_recycler, all = by_pools + by_recycler;
  t->by_pools = pools;
  t->by_recycler = recycler;
  unsigned share = all ? (unsigned)(100 * by_pools / all) : 0;
  /* What went round since the last look would have had room in half of it: pushes and pops are both counted. */
  bool idle = by_recycler < t->recycler;
  t->above = share > TOO_MANY && by_pools > t->recycler / 4 ? t->above + 1 : 0;
  t->below = share < FEW || all < t->recycler / 4 ? (idle ? t->below + 1 : 0) : 0;
  if (t->since_cut < PATIENCE_MOST) t->since_cut++;
  if (t->above >= (t->hasty ? 1 : LOOKS_UP)) {
    /* Soon after a cut: that one was a mistake. */
    if (t->since_cut <= 2 * t->patience && t->patience < PATIENCE_MOST) t->patience *= 2;
    set(t, 2 * t->recycler, 1);
    t->above = 0;
  } else if (t->below >= (t->hasty ? 1 : t->patience)) {
    set(t, t->recycler / 2, -1);
    t->since_cut = t->below = 0;
  }
  return share;
}

/* ---- the load ---- */

enum { SIZE = 64, LOOK_EVERY = 4, OBJECTS_MOST = 1 << 20 };
static void **object;
static pthread_barrier_t turn;
static size_t burst;
static bool over;

static void *free_all(void *unused) {
  (void)unused;
  for (;;) {
    pthread_barrier_wait(&turn); /* the objects are there */
    if (over) return NULL;
    for (size_t i = 0; i < burst; i++) copse_free(object[i], SIZE);
    pthread_barrier_wait(&turn);
  }
}

static void step(size_t objects) {
  burst = objects;
  for (size_t i = 0; i < objects; i++) {
    uint64_t *p = copse_alloc(SIZE);
    if (!p) {
      fprintf(stderr, "tuner: %s\n", strerror(errno));
      exit(1);
    }
    *p = i;
    object[i] = p;
  }
  pthread_barrier_wait(&turn);
  pthread_barrier_wait(&turn);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t number(const char *text, size_t most) {
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  if (errno || *end || end == text || n > most) {
    fprintf(stderr, "tuner: %s is not a number up to %zu\n", text, most);
    exit(64);
  }
  return (size_t)n;
}

int main(int argc, char **argv) {
  size_t steps = 1000, objects = 6000, then = 0, every = 0;
  bool fixed = false, hasty = false, verbose = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc) steps = number(argv[++i], 1000000000);
    else if (strcmp(argv[i], "--objects") == 0 && i + 1 < argc) objects = number(argv[++i], OBJECTS_MOST);
    else if (strcmp(argv[i], "--then") == 0 && i + 1 < argc) then = number(argv[++i], OBJECTS_MOST);
    else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc) every = number(argv[++i], 1000000000);
    else if (strcmp(argv[i], "--fixed") == 0) fixed = true;
    else if (strcmp(argv[i], "--hasty") == 0) hasty = true;
    else if (strcmp(argv[i], "--verbose") == 0) verbose = true;
    else {
      fprintf(stderr, "usage: tuner [--steps N] [--objects N] [--then N [--every N]] [--fixed] [--hasty] [--verbose]\n");
      return 64;
    }
  }
  if (!then) then = objects;
  if (!every) every = steps / 2 + 1;
  struct tuner tuner;
  pthread_t freer;
  object = copse_alloc((objects > then ? objects : then) * sizeof *object + 1);
  if (!object || !tuner_begin(&tuner, hasty) || pthread_barrier_init(&turn, NULL, 2) != 0 ||
      pthread_create(&freer, NULL, free_all, NULL) != 0) {
    fprintf(stderr, "tuner: it does not start\n");
    return 1;
  }
  unsigned share = 0, first_share = 0;
  double begin = seconds(), first = 0, last = 0;
  size_t tenth = steps / 10 ? steps / 10 : 1;
  for (size_t i = 0; i < steps; i++) {
    if (i == steps - tenth) last = seconds();
    step(i / every % 2 ? then : objects);
    if (i + 1 == tenth) first = seconds() - begin;
    if ((i + 1) % LOOK_EVERY) continue;
    uint64_t before = tuner.recycler;
    unsigned changes = tuner.changes;
    if (fixed) {
      struct tuner look = tuner;
      share = tuner_look(&look);
      copse_tune_set("recycler", before);
      tuner.by_pools = look.by_pools;
      tuner.by_recycler = look.by_recycler;
    } else {
      share = tuner_look(&tuner);
    }
    if (i + 1 == LOOK_EVERY) first_share = share;
    if (verbose && tuner.changes != changes)
      printf("step %zu: %u %% of the bundles went by the pools; recycler %llu, before %llu\n", i + 1, share,
             (unsigned long long)tuner.recycler, (unsigned long long)before);
  }
  last = seconds() - last;
  over = true;
  pthread_barrier_wait(&turn);
  pthread_join(freer, NULL);
  copse_free(object, (objects > then ? objects : then) * sizeof *object + 1);
  printf("recycler=%llu\nchanges=%u\nturns=%u\nfirst_share=%u\nlast_share=%u\n", (unsigned long long)tuner.recycler,
         tuner.changes, tuner.turns, first_share, share);
  printf("first_tenth_us=%.0f\nlast_tenth_us=%.0f\n", first * 1e6, last * 1e6);
  return 0;
}
