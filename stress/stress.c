/* SPDX-License-Identifier: MIT */
/*
 * Usage: PROGRAM [--seconds S] [--seed N] [--rounds N] [--limit SECONDS] [--plant FAULT]
 * Runs rounds of the scenario that it is linked with until the time is over, or so many.  Status: 0 all was well, 77 it cannot be had
 * here, else not.  A round that does not come to its end in the limit is a failure.
 */
#include "state.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct state stress_state = {.seed = 1, .seconds = 1, .limit = UNDER_SANITIZER ? 180 : 90};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* The command that does the same.  How often one round looks follows from the seconds. */
static const char *again(char *text, size_t size) {
  char seconds[32] = "";
  if (stress_scenario.flags & STRESS_ONCE) snprintf(seconds, sizeof seconds, " --seconds %g", stress_state.seconds);
  snprintf(text, size, "%s --seed %llu --rounds %u%s%s%s", stress_state.program, (unsigned long long)stress_state.seed,
           stress_state.round + 1, seconds, stress_state.plant ? " --plant " : "", stress_state.plant ? stress_state.plant : "");
  return text;
}

_Noreturn void stress_fail(const char *file, int line, const char *what) {
  char text[200];
  printf("# %s:%d: not so: %s\n# again: %s\n", base_name(file), line, what, again(text, sizeof text));
  fflush(stdout);
  _exit(1);
}

_Noreturn void stress_skip_all(const char *why) {
  printf("# SKIP %s\n", why);
  fflush(stdout);
  _exit(77);
}

void stress_skip(const char *part, const char *why) {
  struct totals *t = stress_state.totals;
  for (uint32_t i = 0; i < t->skips; i++)
    if (strcmp(t->skipped[i].part, part) == 0) return;
  if (t->skips == sizeof t->skipped / sizeof *t->skipped) return;
  snprintf(t->skipped[t->skips].part, sizeof t->skipped->part, "%s", part);
  snprintf(t->skipped[t->skips].why, sizeof t->skipped->why, "%s", why);
  t->skips++;
}

/* relaxed, all of them: figures.  The name's place is the same in all processes of a run. */
static void note(const char *name, uint64_t n, bool most) {
  struct totals *t = stress_state.totals;
  for (unsigned i = 0; i < FIGURES; i++) {
    const char *none = NULL;
    bool ours = __atomic_load_n(&t->figure[i].name, __ATOMIC_RELAXED) == name ||
                __atomic_compare_exchange_n(&t->figure[i].name, &none, name, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) || none == name;
    if (!ours) continue;
    __atomic_store_n(&t->figure[i].most, most, __ATOMIC_RELAXED);
    if (!most) {
      __atomic_fetch_add(&t->figure[i].n, n, __ATOMIC_RELAXED);
      return;
    }
    uint64_t now = __atomic_load_n(&t->figure[i].n, __ATOMIC_RELAXED);
    while (now < n && !__atomic_compare_exchange_n(&t->figure[i].n, &now, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
    return;
  }
}
void stress_add(const char *name, uint64_t n) { note(name, n, false); }
void stress_most(const char *name, uint64_t n) { note(name, n, true); }

bool stress_planted(const char *plant) { return stress_state.plant && strcmp(stress_state.plant, plant) == 0; }
unsigned stress_limit(void) { return stress_state.limit; }

bool plant_now(const char *plant) {
  uint32_t not_yet = 0;
  return stress_planted(plant) &&
         __atomic_compare_exchange_n(&stress_state.totals->planted, &not_yet, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* ---- a run ---- */

/* Only what a signal handler may do. */
static char hang_text[400];
static size_t hang_length;
static void hang(int signal_number) {
  (void)signal_number;
  ssize_t written = write(STDOUT_FILENO, hang_text, hang_length);
  _exit(written < 0 ? 3 : 2);
}

static void watch(void) {
  char text[200];
  int n = snprintf(hang_text, sizeof hang_text, "# hangs: no round ended in %u s\n# again: %s\n", stress_state.limit, again(text, sizeof text));
  hang_length = n > 0 ? min_u64((u64)n, sizeof hang_text - 1) : 0;
  struct sigaction action = {.sa_handler = hang};
  sigaction(SIGALRM, &action, NULL);
  alarm(stress_state.limit);
}

static void one_round(void) {
  watch();
  hands_seed(mix(stress_state.seed * 0x10001 + stress_state.round));
  if (plant_now("hang"))
    for (;;) pause();
  stress_scenario.round(&stress_hands[0]);
  stress_balance(0);
  preempt_count();
  __atomic_fetch_add(&stress_state.totals->balances, 1, __ATOMIC_RELAXED);
  alarm(0);
}

/* In a process of its own; its status. */
static int fresh_round(void) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    one_round();
    hands_count();
    fflush(NULL);
    _exit(0);
  }
  int status;
  while (waitpid(pid, &status, 0) != pid)
    if (errno != EINTR) return 1;
  if (WIFSIGNALED(status)) {
    printf("# the round's process ended by signal %d\n", WTERMSIG(status));
    stress_fail(__FILE__, __LINE__, "the round came to its end");
  }
  return WEXITSTATUS(status);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void usage(void) {
  fprintf(stderr, "usage: %s [--seconds S] [--seed N] [--rounds N] [--limit SECONDS] [--plant FAULT]\n", stress_state.program);
  exit(64);
}

static void read_arguments(int argc, char **argv) {
  const char *seed = getenv("STRESS_SEED");
  stress_state.program = base_name(argv[0]);
  if (seed && *seed) stress_state.seed = strtoull(seed, NULL, 0);
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) usage();
    if (strcmp(argv[i], "--seconds") == 0) stress_state.seconds = atof(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0) stress_state.seed = strtoull(argv[i + 1], NULL, 0);
    else if (strcmp(argv[i], "--rounds") == 0) stress_state.rounds = (unsigned)strtoul(argv[i + 1], NULL, 0);
    else if (strcmp(argv[i], "--limit") == 0) stress_state.limit = (unsigned)strtoul(argv[i + 1], NULL, 0);
    else if (strcmp(argv[i], "--plant") == 0) stress_state.plant = argv[i + 1];
    else usage();
  }
}

static void report(double spent) {
  const struct totals *t = stress_state.totals;
  printf("# %s\n# seed %llu: %u rounds in %.1f s; %llu objects made, %llu freed, %llu requests refused; %llu balances\n",
         stress_scenario.about, (unsigned long long)stress_state.seed, stress_state.round, spent, (unsigned long long)t->made,
         (unsigned long long)t->freed, (unsigned long long)t->refused, (unsigned long long)t->balances);
  for (unsigned i = 0; i < FIGURES && t->figure[i].name; i++)
    printf("# %s%s: %llu\n", t->figure[i].name, t->figure[i].most ? ", at most" : "", (unsigned long long)t->figure[i].n);
  for (uint32_t i = 0; i < t->skips; i++) printf("# SKIP %s: %s\n", t->skipped[i].part, t->skipped[i].why);
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  struct totals *totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (totals == MAP_FAILED) return 1;
  stress_state.totals = totals;
  double begin = now();
  bool once = stress_scenario.flags & STRESS_ONCE;
  do {
    int status = 0;
    if (stress_scenario.flags & STRESS_FRESH) status = fresh_round();
    else one_round();
    if (status) return status;
    stress_state.round++;
  } while (!once && (stress_state.rounds ? stress_state.round < stress_state.rounds : now() - begin < stress_state.seconds));
  if (!(stress_scenario.flags & STRESS_FRESH)) hands_count();
  report(now() - begin);
  if (stress_state.plant && !totals->planted) printf("# the fault %s was not planted\n", stress_state.plant);
  return 0;
}
