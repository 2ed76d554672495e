/* SPDX-License-Identifier: MIT */
/* The system's own pool of explicit huge pages, where this process may change it.  Sizes are "2048kB" and "1048576kB". */
#ifndef COPSE_TESTS_HUGE_POOL_H
#define COPSE_TESTS_HUGE_POOL_H

#include <stdbool.h>
#include <stdio.h>

static inline FILE *huge_pool_open(const char *size, const char *name, const char *mode) {
  char path[128];
  snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%s/%s", size, name);
  return fopen(path, mode);
}

/* -1: there is no such pool. */
static inline long huge_pool_get(const char *size, const char *name) {
  long n;
  FILE *file = huge_pool_open(size, name, "r");
  if (!file) return -1;
  if (fscanf(file, "%ld", &n) != 1) n = -1;
  fclose(file);
  return n;
}

static inline bool huge_pool_set(const char *size, long pages) {
  FILE *file = huge_pool_open(size, "nr_hugepages", "w");
  if (!file) return false;
  bool written = fprintf(file, "%ld\n", pages) > 0;
  return fclose(file) == 0 && written;
}

/* Sets `more` pages aside.  Returns how many there were before; -1: that cannot be had here. */
static inline long huge_pool_grow(const char *size, long more) {
  long before = huge_pool_get(size, "nr_hugepages"), vacant = huge_pool_get(size, "free_hugepages");
  if (before < 0 || vacant < 0 || !huge_pool_set(size, before + more)) return -1;
  if (huge_pool_get(size, "free_hugepages") >= vacant + more) return before;
  huge_pool_set(size, before);
  return -1;
}

#endif
