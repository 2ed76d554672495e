/* SPDX-License-Identifier: MIT */
/*
 * Which mutants there are: each scenario runs once and says which accesses and locks it reaches, and each of these can
 * be made wrong in some ways.  A mutant is known by its source line, so that it is the same one wherever the compiler
 * put it.
 */
#include "mutants.h"
#include "expect.h"
#include "source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 };

struct mutant mutants[MUTANTS];
int mutant_count;
struct entry entries[SCENARIOS];
int entry_count;

static struct mutant *mutant_named(const char *name, const char *key, struct mutation what) {
  for (struct mutant *m = mutants; m < mutants + mutant_count; m++)
    if (!strcmp(m->name, name)) return m;
  if (mutant_count == MUTANTS) abort();
  struct mutant *m = &mutants[mutant_count++];
  snprintf(m->name, sizeof m->name, "%s", name);
  m->key = key;
  m->what = what;
  return m;
}

static void add(const struct site *site, int visitor, struct mutation what, const char *how) {
  const char *key = source_key(site->pc);
  char name[sizeof mutants[0].name];
  if (!key) return;
  snprintf(name, sizeof name, "%.220s | %s%s %s", key, site_kinds[site->kind],
           what.change == FAILS_WEAKER ? " failing" : "", how);
  struct mutant *m = mutant_named(name, key, what);
  m->visits[visitor] = true;
  for (int i = 0; i < m->what.count; i++)
    if (m->what.pc[i] == site->pc) return;
  if (m->what.count == COPIES) abort();
  m->what.pc[m->what.count++] = site->pc;
}

static void add_weaker(const struct site *site, int visitor, enum change change, int weaker) {
  char how[64];
  snprintf(how, sizeof how, "%s -> %s", site_orders[change == FAILS_WEAKER ? site->failure : site->order],
           site_orders[weaker]);
  add(site, visitor, (struct mutation){.change = change, .order = weaker}, how);
}

static void add_orders(const struct site *site, int visitor) {
  for (enum change change = WEAKER; change <= FAILS_WEAKER; change++) {
    int order = change == FAILS_WEAKER ? site->failure : site->order;
    if (order == ACQUIRE || order == RELEASE) add_weaker(site, visitor, change, RELAXED);
    if (order == SEQ_CST) add_weaker(site, visitor, change, ACQ_REL);
    if (order != ACQ_REL) continue;
    add_weaker(site, visitor, change, ACQUIRE);
    add_weaker(site, visitor, change, RELEASE);
  }
}

static void add_logic(const struct site *site, int visitor) {
  const struct mutation left_out = {.change = LEFT_OUT}, in_two = {.change = IN_TWO}, let_go = {.change = LET_GO};
  if (site->kind != LOAD && site->kind != CAS) add(site, visitor, left_out, "left out");
  if (site->kind >= EXCHANGE && site->kind <= CAS) add(site, visitor, in_two, "in two steps");
  if (site->kind == LOCK) add(site, visitor, let_go, "let go at once");
}

/* Of the checker's own scenarios: one thread is not there. */
static void add_absent(int visitor) {
  const struct scenario *s = entries[visitor].scenario;
  for (int t = 0; t < T && s->thread[t]; t++) {
    char name[64];
    snprintf(name, sizeof name, "thread %c does nothing", 'a' + t);
    mutant_named(name, NULL, (struct mutation){.change = ABSENT, .thread = t})->visits[visitor] = true;
  }
}

static bool of_the_checker(const struct scenario *s) {
  return !strncmp(s->name, "litmus/", 7) || !strncmp(s->name, "stack/", 6);
}

struct answer {
  u64 executions;
  bool as_expected;
  int sites;
};

static bool run_quietly(const struct scenario *s, u64 limit, struct result *r) {
  char why[256];
  struct search_options o = {.limit = limit, .quiet = true};
  if (s->once) s->once();
  search_run(s, &o, r);
  return r->verdict == INCOMPLETE || expect_met(s, r, why, sizeof why);
}

void mutants_look(int entry, u64 limit, bool all) {
  const struct scenario *s = entries[entry].scenario;
  int ends[2];
  if (pipe(ends)) abort();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    static struct result r;
    const struct site *sites;
    sites_record(true);
    bool fine = run_quietly(s, limit, &r);
    struct answer a = {r.executions, fine, sites_seen(&sites)};
    if (write(ends[1], &a, sizeof a) < 0 || write(ends[1], sites, (size_t)a.sites * sizeof *sites) < 0) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  FILE *f = fdopen(ends[0], "r");
  struct answer a;
  struct site site;
  if (!f || fread(&a, sizeof a, 1, f) != 1 || !a.as_expected) {
    printf("not ok %s: not as expected without a mutation\n", s->name);
    exit(1);
  }
  entries[entry].executions = a.executions;
  while (a.sites-- && fread(&site, sizeof site, 1, f) == 1) {
    if (!source_of_library(site.pc) && !(all && of_the_checker(s))) continue;
    if (site.kind != LOCK) add_orders(&site, entry);
    if (all) add_logic(&site, entry);
  }
  if (all && of_the_checker(s)) add_absent(entry);
  fclose(f);
  waitpid(pid, NULL, 0);
}

bool mutants_kills(const struct scenario *s, const struct mutation *m, u64 limit, const char *say) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    static struct result r;
    /* What never ends is not seen to be wrong. */
    alarm(SECONDS);
    sites_mutate(m);
    bool fine = run_quietly(s, limit, &r);
    if (!fine && say)
      printf("killed   %s\n           by %s at execution %llu: %s\n", say, s->name, (unsigned long long)r.executions,
             r.verdict == FAILED ? r.message : "it is not as expected");
    fflush(stdout);
    _exit(fine ? 0 : 3);
  }
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) < 0) abort();
  return WIFEXITED(status) && WEXITSTATUS(status) == 3;
}
