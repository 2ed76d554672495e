/* SPDX-License-Identifier: MIT */
/*
 * The system's own pool of explicit huge pages, where this process may change it.  Sizes are "2048kB" and "1048576kB".
 * From huge_pool_grow to huge_pool_shrink no other test changes the pool: not one of another suite either.
 */
#ifndef COPSE_TESTS_HUGE_POOL_H
#define COPSE_TESTS_HUGE_POOL_H

#include "setting.h"
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

/* The lock, and what is to be put back, from grow to shrink. */
static struct {
  char path[128];
  int lock;
  long before;
} huge_pool_held = {.lock = -1};

/* Puts the pool back as it was. */
static inline bool huge_pool_shrink(const char *size) {
  bool back = huge_pool_set(size, huge_pool_held.before);
  setting_unguard();
  setting_unlock(huge_pool_held.lock);
  huge_pool_held.lock = -1;
  return back;
}

/* Sets `more` pages aside.  false: that cannot be had here. */
static inline bool huge_pool_grow(const char *size, long more) {
  snprintf(huge_pool_held.path, sizeof huge_pool_held.path, "/sys/kernel/mm/hugepages/hugepages-%s/nr_hugepages", size);
  huge_pool_held.lock = setting_lock(huge_pool_held.path);
  long vacant = huge_pool_get(size, "free_hugepages"), surplus = huge_pool_get(size, "surplus_hugepages");
  /* Less those that are only there until whoever uses them is through, or they would be there for ever. */
  long before = huge_pool_held.before = huge_pool_get(size, "nr_hugepages") - (surplus > 0 ? surplus : 0);
  if (before < 0 || vacant < 0) {
    setting_unlock(huge_pool_held.lock);
    return false;
  }
  setting_guard(huge_pool_held.path, before);
  if (huge_pool_set(size, before + more) && huge_pool_get(size, "free_hugepages") >= vacant + more) return true;
  huge_pool_shrink(size);
  return false;
}

#endif
