/* SPDX-License-Identifier: MIT */
/*
 * Runs scenarios, a process each, and prints a line a scenario.
 *
 *   model [--jobs N] [--long] [--limit N] [--show] [NAME...]   of this name, or whose name contains it; all; up to N
 * executions model --replay SCHEDULE NAME             one execution, as a table model --random FROM N random programs:
 * the checker against itself model --compare NAME...                  reduced against unreduced search, likewise model
 * --mutants FILE [NAME...]           memory orders made weaker; FILE says which may survive model --killers [NAME...]
 * a line for each scenario and each mutant that reaches it: which it kills model --check-killers FILE [NAME...] whether
 * each scenario kills the mutant that FILE says it does model --list
 */
#include "engine.h"
#include "expect.h"
#include "mutants.h"
#include "random.h"
#include "scenarios.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS = 16, LIMIT = 4000000, INTERLEAVINGS = 30000, ALL = 50000000 };
static bool show; /* failures that are expected too */
static u64 limit; /* of executions; 0: the scenario's own */

static int run_scenario(const struct scenario *s, const char *replay) {
  static struct result r;
  char why[256] = "";
  struct search_options o = {.limit = limit      ? limit
                                      : s->limit ? s->limit
                                                 : LIMIT,
                             .replay = replay,
                             .quiet = s->expected == FAILED && !replay && !show};
  if (s->once) s->once();
  search_run(s, &o, &r);
  if (replay) {
    if (r.verdict != FAILED) printf("%s: nothing fails in this execution\n", s->name);
    return r.verdict == FAILED ? 0 : 1;
  }
  bool fine = expect_met(s, &r, why, sizeof why);
  if (!fine && o.quiet && r.verdict == FAILED) report_failure(&r);
  printf("%s %-36s %-10s %9llu graphs %8llu blocked %5d deep %7.2f s%s%s\n", fine ? "ok    " : "not ok", s->name,
         expect_verdicts[r.verdict], (unsigned long long)r.graphs, (unsigned long long)r.blocked, r.depth, r.seconds,
         fine ? "" : "  # ", why);
  fflush(stdout);
  return fine ? 0 : 1;
}

/* ---- jobs ---- */

struct job {
  pid_t pid;
  FILE *out;
  int status;
  bool done;
};

static void print_all(FILE *f) {
  char buffer[4096];
  size_t n;
  rewind(f);
  while ((n = fread(buffer, 1, sizeof buffer, f)) > 0) fwrite(buffer, 1, n, stdout);
  fflush(stdout);
  fclose(f);
}

static void start(struct job *job, const struct scenario *s) {
  job->out = tmpfile();
  fflush(stdout);
  if (!job->out || (job->pid = fork()) < 0) abort();
  if (job->pid) return;
  if (dup2(fileno(job->out), STDOUT_FILENO) < 0) abort();
  exit(run_scenario(s, NULL));
}

static void finish(struct job jobs[], size_t n) {
  int status;
  pid_t pid = wait(&status);
  for (size_t i = 0; i < n; i++)
    if (jobs[i].pid == pid && !jobs[i].done) {
      jobs[i].status = status;
      jobs[i].done = true;
    }
}

static int run_all(const struct scenario *const list[], size_t n, int parallel) {
  struct job *jobs = calloc(n + 1, sizeof *jobs);
  if (!jobs) abort();
  size_t begun = 0, running = 0, printed = 0, failed = 0;
  while (printed < n) {
    while (begun < n && running < (size_t)parallel) {
      start(&jobs[begun], list[begun]);
      begun++;
      running++;
    }
    finish(jobs, begun);
    running--;
    for (; printed < begun && jobs[printed].done; printed++) {
      print_all(jobs[printed].out);
      if (!WIFEXITED(jobs[printed].status))
        printf("not ok %s: ended by signal %d\n", list[printed]->name, WTERMSIG(jobs[printed].status));
      failed += jobs[printed].status != 0;
    }
  }
  free(jobs);
  printf("# %zu scenarios, %zu not as expected\n", n, failed);
  return failed ? 1 : 0;
}

static const struct scenario *look_up(const char *name) {
  for (const struct scenario *const *table = scenario_tables; *table; table++)
    for (const struct scenario *s = *table; s->name; s++)
      if (!strcmp(s->name, name)) return s;
  return NULL;
}

/* Its own name, or where none has it a part of several. */
static bool wanted(const struct scenario *s, char *const names[], int n, bool lengthy) {
  if (n == 0) return lengthy || !s->lengthy;
  for (int i = 0; i < n; i++)
    if (look_up(names[i]) ? look_up(names[i]) == s : strstr(s->name, names[i]) != NULL) return true;
  return false;
}

static const struct scenario *find(const char *name) {
  const struct scenario *s = look_up(name);
  if (s) return s;
  fprintf(stderr, "no scenario %s\n", name);
  exit(2);
}

static int run_random(u64 from, u64 n) {
  struct random_sums sums = {0};
  u64 bad = 0;
  for (u64 i = from; sums.programs < n && bad < 5; i++)
    if (!random_check(i, INTERLEAVINGS, &sums)) bad++;
  printf(
      "%s %llu random programs (%llu more were too large): %llu graphs, by %llu executions and by %llu interleavings\n",
      bad ? "not ok" : "ok    ", (unsigned long long)sums.programs, (unsigned long long)sums.too_large,
      (unsigned long long)sums.graphs, (unsigned long long)sums.executions, (unsigned long long)sums.interleavings);
  return bad ? 1 : 0;
}

static int run_compared(char *const names[], int n) {
  struct random_sums sums = {0};
  bool same = true;
  for (int i = 0; i < n; i++) same = random_compare(find(names[i]), ALL, &sums) && same;
  same = same && sums.programs == (u64)n;
  printf("%s %d scenarios: %llu graphs, by %llu executions and by %llu interleavings\n", same ? "ok    " : "not ok", n,
         (unsigned long long)sums.graphs, (unsigned long long)sums.executions, (unsigned long long)sums.interleavings);
  return same ? 0 : 1;
}

int main(int argc, char **argv) {
  int jobs = 2, at = 1;
  bool lengthy = false;
  for (; at < argc && argv[at][0] == '-'; at++) {
    const char *option = argv[at];
    int left = argc - at - 1;
    if (!strcmp(option, "--jobs") && left > 0)
      jobs = atoi(argv[++at]);
    else if (!strcmp(option, "--long"))
      lengthy = true;
    else if (!strcmp(option, "--show"))
      show = true;
    else if (!strcmp(option, "--replay") && left == 2)
      return run_scenario(find(argv[at + 2]), argv[at + 1]);
    else if (!strcmp(option, "--random") && left == 2)
      return run_random(strtoull(argv[at + 1], NULL, 10), strtoull(argv[at + 2], NULL, 10));
    else if (!strcmp(option, "--compare") && left >= 1)
      return run_compared(argv + at + 1, left);
    else if (!strcmp(option, "--mutants") && left >= 1)
      return orders_run(argv[at + 1], argv + at + 2, left - 1);
    else if (!strcmp(option, "--killers"))
      return killers_find(argv + at + 1, left);
    else if (!strcmp(option, "--check-killers") && left >= 1)
      return killers_check(argv[at + 1], argv + at + 2, left - 1);
    else if (!strcmp(option, "--limit") && left > 0)
      limit = strtoull(argv[++at], NULL, 10);
    else if (!strcmp(option, "--list"))
      for (const struct scenario *const *table = scenario_tables; *table; table++)
        for (const struct scenario *s = *table; s->name; s++) printf("%s\n", s->name);
    else {
      fprintf(stderr, "model: %s: no such option, or not so; see main.c\n", option);
      return 2;
    }
    if (!strcmp(option, "--list")) return 0;
  }
  if (jobs < 1 || jobs > JOBS) jobs = 2;
  const struct scenario *list[1024];
  size_t n = 0;
  for (const struct scenario *const *table = scenario_tables; *table; table++)
    for (const struct scenario *s = *table; s->name; s++)
      if (wanted(s, argv + at, argc - at, lengthy) && n < 1024) list[n++] = s;
  return run_all(list, n, jobs);
}
