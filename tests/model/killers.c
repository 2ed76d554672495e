/* SPDX-License-Identifier: MIT */
/*
 * Each scenario must be able to fail: for each there is a mutant that it kills, in doc/SCENARIOS.  That table is
 * written by scenarios.sh from what killers_find prints, and held to what is here by killers_check.
 */
#include "mutants.h"
#include "scenarios.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* FEW: to see which of many are killed.  ENOUGH: where few do not suffice, and to see it again. */
enum { FEW = 200, ENOUGH = 60000, PARALLEL = 2, LINE = 1024 };

static void look(char *const names[], int n) {
  for (const struct scenario *const *table = scenario_tables; *table; table++)
    for (const struct scenario *s = *table; s->name; s++) {
      bool wanted = n == 0;
      for (int i = 0; i < n; i++) wanted = wanted || strstr(s->name, names[i]);
      if (wanted && entry_count < SCENARIOS) entries[entry_count++].scenario = s;
    }
  for (int i = 0; i < entry_count; i++) mutants_look(i, FEW, true);
}

static int try_all(int entry, u64 limit) {
  const struct scenario *s = entries[entry].scenario;
  int killed = 0;
  for (int i = 0; i < mutant_count; i++) {
    if (!mutants[i].visits[entry]) continue;
    bool dead = mutants_kills(s, &mutants[i].what, limit, NULL);
    killed += dead;
    printf("%s\t%s\t%s\n", s->name, mutants[i].name, dead ? "killed" : "survived");
    if (dead && limit != FEW) break; /* one will do */
  }
  return killed;
}

/* Runs what is asked for for each scenario, some at once.  Returns for how many it returned false. */
static int each(bool (*what)(int entry)) {
  int running = 0, bad = 0, status;
  for (int i = 0; i <= entry_count; i++) {
    while (running == PARALLEL || (i == entry_count && running)) {
      wait(&status);
      bad += status != 0;
      running--;
    }
    if (i == entry_count) break;
    fflush(stdout);
    if (fork() == 0) {
      /* Lines of several processes must not be cut. */
      static char buffer[1 << 20];
      setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
      bool fine = what(i);
      fflush(stdout);
      _exit(!fine);
    }
    running++;
  }
  return bad;
}

static bool find(int entry) { return try_all(entry, FEW) || try_all(entry, ENOUGH); }

int killers_find(char *const names[], int n) {
  look(names, n);
  each(find); /* the table says which have none */
  return 0;
}

/* ---- the table: "   scenario" and "      mutant", in turn ---- */

static struct { char scenario[128], mutant[320]; } rows[SCENARIOS];
static int row_count;

static bool read_table(const char *path) {
  char line[LINE];
  FILE *f = fopen(path, "r");
  if (!f) {
    printf("not ok %s cannot be read\n", path);
    return false;
  }
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    size_t blanks = strspn(line, " ");
    if (blanks == 3 && row_count < SCENARIOS)
      snprintf(rows[row_count++].scenario, sizeof rows[0].scenario, "%.*s", (int)strcspn(line + 3, " ") & 127,
               line + 3);
    else if (blanks == 6 && row_count)
      snprintf(rows[row_count - 1].mutant, sizeof rows[0].mutant, "%.319s", line + 6);
  }
  fclose(f);
  return true;
}

static bool check_row(int entry) {
  const struct scenario *s = entries[entry].scenario;
  const char *name = NULL;
  for (int i = 0; i < row_count; i++)
    if (!strcmp(rows[i].scenario, s->name)) name = rows[i].mutant;
  if (!name || !name[0]) {
    printf("not ok %s: no mutant is named that it kills\n", s->name);
    return false;
  }
  if (!strncmp(name, "logic: ", 7)) return true;
  for (int i = 0; i < mutant_count; i++) {
    if (strcmp(mutants[i].name, name) || !mutants[i].visits[entry]) continue;
    if (mutants_kills(s, &mutants[i].what, ENOUGH, NULL)) return true;
    printf("not ok %s: does not kill %s\n", s->name, name);
    return false;
  }
  printf("not ok %s: there is no mutant %s\n", s->name, name);
  return false;
}

int killers_check(const char *table, char *const names[], int n) {
  if (!read_table(table)) return 1;
  look(names, n);
  int bad = each(check_row), left = 0;
  for (int i = 0; i < row_count && !n; i++) {
    bool there = false;
    for (int k = 0; k < entry_count; k++) there = there || !strcmp(rows[i].scenario, entries[k].scenario->name);
    if (!there) printf("not ok %s: there is no such scenario\n", rows[i].scenario);
    bad += !there;
  }
  for (int i = 0; i < row_count; i++) left += !strncmp(rows[i].mutant, "logic: ", 7);
  printf("%s %d scenarios, %d without a mutant that they kill (%d are left to the mutants of logic)\n",
         bad ? "not ok" : "ok    ", entry_count, bad, left);
  return bad != 0;
}
