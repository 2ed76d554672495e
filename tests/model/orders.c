/* SPDX-License-Identifier: MIT */
/*
 * Mutation of memory orders: each access of the library whose order is more than relaxed is made weaker by one step,
 * and the scenarios that reach it run, the small ones first, until one fails.  A mutant that survives, or an access
 * that none reaches, must stand in the file of allowed ones with the argument; an entry there that is not needed is an
 * error too.
 */
#include "mutants.h"
#include "scenarios.h"
#include "source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Accesses are all reached in few executions. */
enum { LOOK = 2000, LIMIT = 60000, PARALLEL = 2 };

static int by_size(const void *a, const void *b) {
  u64 x = entries[*(const int *)a].executions, y = entries[*(const int *)b].executions;
  return x < y ? -1 : x > y;
}

/* In a process of its own.  Exits with 0 if some scenario failed, and says which. */
static void try_to_kill(const struct mutant *m) {
  int list[SCENARIOS], n = 0;
  for (int i = 0; i < entry_count; i++)
    if (m->visits[i]) list[n++] = i;
  qsort(list, (size_t)n, sizeof *list, by_size);
  for (int i = 0; i < n; i++)
    if (mutants_kills(entries[list[i]].scenario, &m->what, LIMIT, m->name)) _exit(0);
  _exit(1);
}

static int finish(int running, bool survived[], pid_t pids[]) {
  int status;
  pid_t pid = wait(&status);
  for (int i = 0; i < mutant_count; i++)
    if (pids[i] == pid) survived[i] = status != 0;
  return running - 1;
}

static void choose(char *const names[], int n) {
  for (const struct scenario *const *table = scenario_tables; *table; table++)
    for (const struct scenario *s = *table; s->name; s++) {
      bool wanted = n == 0 && s->once; /* of the library */
      if (n == 0 && !strncmp(s->name, "recycler/", 9)) wanted = true;
      for (int i = 0; i < n; i++) wanted = wanted || strstr(s->name, names[i]);
      if (wanted && !s->lengthy && s->expected == EXHAUSTIVE && entry_count < SCENARIOS)
        entries[entry_count++].scenario = s;
    }
}

int orders_run(const char *allow, char *const names[], int n) {
  static bool survived[MUTANTS];
  static pid_t pids[MUTANTS];
  int running = 0;
  choose(names, n);
  for (int i = 0; i < entry_count; i++) mutants_look(i, LOOK, false);
  for (int i = 0; i < mutant_count; i++) {
    if (running == PARALLEL) running = finish(running, survived, pids);
    fflush(stdout);
    if ((pids[i] = fork()) == 0) try_to_kill(&mutants[i]);
    running++;
  }
  while (running) running = finish(running, survived, pids);

  /* What survived, and what was not reached, against what is allowed. */
  int killed = 0, excused = 0, bad = 0;
  if (!source_allowed_read(allow)) return 1;
  for (int i = 0; i < mutant_count; i++) {
    killed += !survived[i];
    if (!survived[i]) continue;
    bool allowed = source_allowed(mutants[i].name);
    excused += allowed;
    bad += !allowed;
    printf("%s %s\n", allowed ? "allowed " : "SURVIVED", mutants[i].name);
  }
  for (const char *key = source_first_ordered(); key; key = source_next_ordered()) {
    bool reached = false;
    for (int i = 0; i < mutant_count; i++) reached = reached || !strcmp(mutants[i].key, key);
    if (reached) continue;
    char name[320];
    snprintf(name, sizeof name, "%.300s | not reached", key);
    bool allowed = source_allowed(name);
    excused += allowed;
    bad += !allowed;
    printf("%s %s\n", allowed ? "allowed " : "NOT REACHED", name);
  }
  int stale = n ? 0 : source_stale();
  printf("%s %d mutants of memory orders by %d scenarios: %d killed, %d allowed, %d neither; %d stale entries\n",
         bad || stale ? "not ok" : "ok    ", mutant_count, entry_count, killed, excused, bad, stale);
  return bad || stale;
}
