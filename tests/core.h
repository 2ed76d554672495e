/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the core share: a core of one process, brought up and taken down at will; the slot equation; random
 * numbers; a child process to do it in.
 * cmocka's asserts leave by longjmp, so they are for the first thread of the first process; `require` is for all others.
 */
#ifndef COPSE_TESTS_CORE_H
#define COPSE_TESTS_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache.h"
#include "pool.h"
#include "recycler.h"
#include "region.h"
#include "tunables.h"
#include "tune.h"
#include "under.h"
#include "vm_faults.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define require(x) \
  ((x) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x), fflush(stderr), abort()))

/* ---- random numbers: xorshift64*, the same each time ---- */

static inline u64 random_next(u64 *state) {
  *state ^= *state >> 12;
  *state ^= (*state & UINT64_MAX >> 25) << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1Du;
}
static inline u64 random_below(u64 *state, u64 n) { return (random_next(state) >> 11) % n; }

/* ---- the core ---- */

static inline void tunables_reset(void) {
  for (const struct parameter *p = copse_parameters; p->name; p++) *p->value = p->initial;
}

/* vm, the reservation and the pools; no caches.  `page`: 0, or the size of page to emulate. */
static inline bool core_up_page(u64 reserve, size_t page) {
  copse_vm_start();
  if (page) copse_vm_facts.page = page;
  copse_tunables.reserve = reserve;
  return copse_region_start() && copse_pools_start();
}

static inline void core_up(u64 reserve) { assert_true(core_up_page(reserve, 0)); }

/* As if nothing had ever been. */
static inline void core_down(void) {
  copse_vm = &copse_vm_system;
  if (copse_regions.base) copse_vm_unreserve(copse_regions.base, region_reserved());
  copse_regions = (struct regions){0};
  memset(copse_pools, 0, sizeof copse_pools);
  memset(copse_recyclers, 0, sizeof copse_recyclers);
  copse_bundles_made = NULL;
  copse_vm_counters = (struct vm_counters){0};
  copse_region_own_bytes = 0;
  tunables_reset();
}

/* ---- the slot equation ---- */

static inline bool pool_balanced(struct pool *p, u64 live, u64 cached) {
  struct pool_count c;
  copse_pool_count(p, &c);
  bool balanced = live + cached + c.free + c.detached + c.uncommitted + c.lost == 64 * c.blocks;
  if (!balanced)
    fprintf(stderr, "class %u: live %llu + cached %llu + free %llu + detached %llu + uncommitted %llu + lost %llu != 64 x %llu\n",
            p->class, (unsigned long long)live, (unsigned long long)cached, (unsigned long long)c.free,
            (unsigned long long)c.detached, (unsigned long long)c.uncommitted, (unsigned long long)c.lost,
            (unsigned long long)c.blocks);
  return balanced && copse_pool_valid(p);
}

/* ---- printed stacks ---- */

/*
 * What stands behind "in FUNCTION " in `said`: the place in the test's program, or, by a tool that knows it, the line, of the test or
 * of a header of it.  NULL where neither does.
 */
static inline const char *frame_place(const char *said, const char *function, const char *test, const char *header) {
  char name[64], place[64], file[64], other[64];
  snprintf(name, sizeof name, " in %s ", function);
  snprintf(place, sizeof place, "(%s_instrumented+0x", test);
  snprintf(file, sizeof file, "/%s.c:", test);
  snprintf(other, sizeof other, "/%s.h:", header);
  const char *at = strstr(said, name);
  if (!at) return NULL;
  at += strlen(name);
  const char *line = strstr(at, file), *in_header = strstr(at, other), *end = strchr(at, '\n');
  if (strncmp(at, place, strlen(place)) == 0) return at;
  return end && ((line && line < end) || (in_header && in_header < end)) ? at : NULL;
}

/* ---- another process ---- */

/*
 * Runs `work` in a child; its exit status, or minus the signal that ended it.  What it wrote on stderr is in `said`, unless
 * that is NULL: then it goes where ours goes.
 */
static inline int in_child_saying(int (*work)(void *), void *argument, char *said, size_t room) {
  int ends[2];
  fflush(NULL);
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    if (said) dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    int status = work(argument);
    fflush(NULL);
    _exit(status);
  }
  close(ends[1]);
  size_t length = 0;
  char rest[256];
  for (;;) {
    bool kept = said && length + 1 < room;
    ssize_t n = read(ends[0], kept ? said + length : rest, kept ? room - 1 - length : sizeof rest);
    if (n <= 0) break;
    if (kept) length += (size_t)n;
  }
  if (said) said[length] = 0;
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int in_child(int (*work)(void *), void *argument) {
  return in_child_saying(work, argument, NULL, 0);
}

#endif
