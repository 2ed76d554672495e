/* SPDX-License-Identifier: MIT */
/*
 * A thread in a signal handler, entered by tgkill(2) somewhere in the slow path, stays in it: the others must go on, unless the thread
 * holds a lock, which is looked at (victim.h); then the handler returns, and is counted.
 */
#include "victim.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TURNS = 8, TURNS_MOST = 4000 };
static struct held_shared *shared;
static struct lock_words words;
static uint32_t stops, held_back, in_spans, victim; /* victim: its thread's number, 0 when it is done */

/* The victim's: it goes to the workers from here. */
static void stop(int signal_number) {
  (void)signal_number;
  int saved = errno;
  struct locks_taken taken = held_locks(&words);
  if (taken.pools || taken.start) {
    held_back++;
    /* A fault of this test's own: to stay where a lock is held. */
    if (!stress_planted("lock")) {
      errno = saved;
      return;
    }
  }
  if (taken.spans) in_spans++;
  require(held_episode(shared, taken.spans ? EPISODE_SPANS : 0, stress_limit() / 4 + 1));
  stops++;
  errno = saved;
}

static void work(struct hand *hand) {
  if (hand->number <= HELD_WORKERS) {
    held_worker(hand);
  } else if (hand->number == HELD_WORKERS + 1) {
    /* The workers have their records: none of them starts, and waits for an arena that the victim makes in its first call. */
    while (__atomic_load_n(&shared->done, __ATOMIC_ACQUIRE) < HELD_WORKERS) usleep(100);
    __atomic_store_n(&victim, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    /* On, where no signal has come yet: `stops` is written by this thread's handler. */
    for (unsigned i = 0; i < TURNS || (i < TURNS_MOST && !__atomic_load_n(&stops, __ATOMIC_RELAXED)); i++) held_paths(hand, i);
    /* What is on its way stays there. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    __atomic_store_n(&victim, 0, __ATOMIC_RELEASE);
    held_end(shared);
  } else {
    for (unsigned i = 0; i < 100000; i++) {
      usleep((useconds_t)random_below(&hand->random, 300));
      uint32_t thread = __atomic_load_n(&victim, __ATOMIC_ACQUIRE);
      if (thread) syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
      else if (__atomic_load_n(&shared->ending, __ATOMIC_ACQUIRE)) break;
    }
  }
}

static void one_round(struct hand *hand) {
  if (COMPILED_WITH_TSAN) stress_skip_all("ThreadSanitizer puts a handler off until the thread is out of its own functions");
  struct sigaction action = {.sa_handler = stop};
  require(copse_tune_set("recycler", random_below(&hand->random, 3)) == 0 && copse_tune_set("growth_min", 4096) == 0 &&
          copse_tune_set("growth_max", 4096) == 0);
  copse_free(copse_alloc(1), 1);
  held_lock_words(&words, copse_regions.arenas);
  shared = held_share();
  require(sigaction(SIGUSR1, &action, NULL) == 0);
  crew_start(HELD_WORKERS + 2, work, shared);
  require(held_episode(shared, 0, stress_limit()));
  crew_join();
  require(stops);
  stress_add("stops", stops);
  stress_add("of them under the spans' lock, where the others went on with slots", in_spans);
  stress_add("signals that came under a pool's lock", held_back);
  stress_add("episodes of the others", shared->done);
}

const struct scenario stress_scenario = {
  "a thread stays in a signal handler in the middle of the slow path, and two others go on",
  STRESS_QUIET | STRESS_FRESH,
  one_round,
};
