/* SPDX-License-Identifier: MIT */
/* Mutants that the checker makes at run time: which there are, and whether some scenario sees them. */
#ifndef MODEL_MUTANTS_H
#define MODEL_MUTANTS_H

#include "sites.h"

enum { SCENARIOS = 512, MUTANTS = 2048 };

struct mutant {
  struct mutation what;
  const char *key; /* file: source line; NULL: of no line */
  char name[320];  /* and what is made of it */
  bool visits[SCENARIOS];
};
extern struct mutant mutants[MUTANTS];
extern int mutant_count;

struct entry {
  const struct scenario *scenario;
  u64 executions;
};
extern struct entry entries[SCENARIOS];
extern int entry_count;

/* ---- mutants.c: which there are ---- */

/* Runs a scenario in a process of its own, up to `limit` executions, and notes each access that it reaches.  Of these
 * become mutants: orders made weaker; or, where all are wanted, whatever can be made wrong. */
void mutants_look(int entry, u64 limit, bool all);
/* Whether the scenario, made wrong in this way, is seen to be wrong.  In a process of its own that ends itself; its
 * message goes to stdout if asked for. */
bool mutants_kills(const struct scenario *s, const struct mutation *m, u64 limit, const char *say);

/* ---- orders.c ---- */

/* Mutation of memory orders: each access of the library, weakened by one step, must make some scenario fail.
 * `allow`: the file of those that are known to be redundant, each with its argument.  names: of scenarios; all. */
int orders_run(const char *allow, char *const names[], int n);

/* ---- killers.c ---- */

/* For each scenario, all mutants that it kills, a line each. */
int killers_find(char *const names[], int n);
/* Whether each scenario is in this table, with a mutant that it kills.  Those of check-logic.sh are left to that. */
int killers_check(const char *table, char *const names[], int n);

#endif
