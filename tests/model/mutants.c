/* SPDX-License-Identifier: MIT */
/*
 * Mutation of memory orders.  First each scenario runs once and says which accesses it reaches.  Then each access whose
 * order is more than relaxed is made weaker by one step, and the scenarios that reach it run, the small ones first,
 * until one fails.  A mutant that survives, or an access that none reaches, must stand in the file of allowed ones with
 * the argument; an entry there that is not needed is an error too.
 */
#include "mutants.h"
#include "scenarios.h"
#include "sites.h"
#include "source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENARIOS = 512, MUTANTS = 512, LIMIT = 60000, PARALLEL = 2 };

struct entry {
  const struct scenario *scenario;
  u64 executions;
};
struct mutant {
  struct mutation what;
  const char *key; /* file: source line */
  char name[320];  /* and which order becomes which */
  bool visits[SCENARIOS];
};

static struct entry entries[SCENARIOS];
static int entry_count;
static struct mutant mutants[MUTANTS];
static int mutant_count;

static const char *const kinds[] = {"load", "store", "exchange", "add",  "sub",    "and",    "or",
                                    "xor",  "nand",  "cas",      "lock", "unlock", "choose", "fence"};
static const char *const orders[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};

/* ---- which accesses a scenario reaches ---- */

struct answer {
  u64 executions;
  bool failed;
  int sites;
};

static bool run_quietly(const struct scenario *s, struct result *r) {
  struct search_options o = {.limit = LIMIT, .quiet = true};
  if (s->once) s->once();
  search_run(s, &o, r);
  return r->verdict == FAILED;
}

static void add_mutant(const struct site *site, int visitor, bool failure, int weaker) {
  const char *key = source_key(site->pc);
  if (!key) return; /* not of the library: a scenario's own */
  char name[320];
  snprintf(name, sizeof name, "%s | %s%s %s -> %s", key, kinds[site->kind], failure ? " failing" : "",
           orders[failure ? site->failure : site->order], orders[weaker]);
  struct mutant *m = mutants;
  while (m < mutants + mutant_count && strcmp(m->name, name)) m++;
  if (m == mutants + mutant_count) {
    if (mutant_count == MUTANTS) abort();
    mutant_count++;
    memcpy(m->name, name, sizeof name);
    m->key = key;
    m->what = (struct mutation){.order = weaker, .failure = failure};
  }
  m->visits[visitor] = true;
  for (int i = 0; i < m->what.count; i++)
    if (m->what.pc[i] == site->pc) return;
  if (m->what.count == COPIES) abort();
  m->what.pc[m->what.count++] = site->pc;
}

static void add_site(const struct site *site, int visitor) {
  for (int f = 0; f < 2; f++) {
    int order = f ? site->failure : site->order;
    if (order == ACQUIRE || order == RELEASE) add_mutant(site, visitor, f, RELAXED);
    if (order == SEQ_CST) add_mutant(site, visitor, f, ACQ_REL);
    if (order != ACQ_REL) continue;
    add_mutant(site, visitor, f, ACQUIRE);
    add_mutant(site, visitor, f, RELEASE);
  }
}

static void look_at(int i) {
  int ends[2];
  if (pipe(ends)) abort();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    static struct result r;
    const struct site *sites;
    sites_record(true);
    bool failed = run_quietly(entries[i].scenario, &r);
    struct answer a = {r.executions, failed, sites_seen(&sites)};
    if (write(ends[1], &a, sizeof a) < 0 || write(ends[1], sites, (size_t)a.sites * sizeof *sites) < 0) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  FILE *f = fdopen(ends[0], "r");
  struct answer a;
  struct site site;
  if (!f || fread(&a, sizeof a, 1, f) != 1 || a.failed) {
    printf("not ok %s fails without a mutation\n", entries[i].scenario->name);
    exit(1);
  }
  entries[i].executions = a.executions;
  while (a.sites-- && fread(&site, sizeof site, 1, f) == 1) add_site(&site, i);
  fclose(f);
  waitpid(pid, NULL, 0);
}

/* ---- killing ---- */

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
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      static struct result r;
      sites_mutate(&m->what);
      bool failed = run_quietly(entries[list[i]].scenario, &r);
      if (failed)
        printf("killed   %s\n           by %s at execution %llu: %s\n", m->name, entries[list[i]].scenario->name,
               (unsigned long long)r.executions, r.message);
      fflush(stdout);
      _exit(failed);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status != 0) _exit(0);
  }
  _exit(1);
}

static int finish(int running, bool survived[], pid_t pids[]) {
  int status;
  pid_t pid = wait(&status);
  for (int i = 0; i < mutant_count; i++)
    if (pids[i] == pid) survived[i] = status != 0;
  return running - 1;
}

int mutants_run(const char *allow, char *const names[], int n) {
  for (const struct scenario *const *table = scenario_tables; *table; table++)
    for (const struct scenario *s = *table; s->name; s++) {
      bool wanted = n == 0 && s->once; /* of the library */
      if (n == 0 && !strncmp(s->name, "recycler/", 9)) wanted = true;
      for (int i = 0; i < n; i++) wanted = wanted || strstr(s->name, names[i]);
      if (wanted && !s->lengthy && s->expected == EXHAUSTIVE && entry_count < SCENARIOS)
        entries[entry_count++].scenario = s;
    }
  for (int i = 0; i < entry_count; i++) look_at(i);
  static bool survived[MUTANTS];
  static pid_t pids[MUTANTS];
  int running = 0;
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
