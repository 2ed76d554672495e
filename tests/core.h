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
#include "vm.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define unused_function __attribute__((unused))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

#define require(x) \
  ((x) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x), fflush(stderr), abort()))

/* ---- random numbers: xorshift64*, the same each time ---- */

static inline u64 random_next(u64 *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1Du;
}
static inline u64 random_below(u64 *state, u64 n) { return (random_next(state) >> 11) % n; }

/* ---- the core ---- */

unused_function static void tunables_reset(void) {
  for (const struct parameter *p = copse_parameters; p->name; p++) *p->value = p->initial;
}

/* vm, the reservation and the pools; no caches.  `page`: 0, or the size of page to emulate. */
unused_function static bool core_up_page(u64 reserve, size_t page) {
  copse_vm_start();
  if (page) copse_vm_facts.page = page;
  copse_tunables.reserve = reserve;
  return copse_region_start() && copse_pools_start();
}

unused_function static void core_up(u64 reserve) { assert_true(core_up_page(reserve, 0)); }

/* As if nothing had ever been. */
unused_function static void core_down(void) {
  copse_vm = &copse_vm_system;
  if (copse_regions.base) copse_vm_unreserve(copse_regions.base, (u64)REGIONS << copse_regions.bits);
  copse_regions = (struct regions){0};
  memset(copse_pools, 0, sizeof copse_pools);
  memset(copse_recyclers, 0, sizeof copse_recyclers);
  copse_vm_counters = (struct vm_counters){0};
  copse_region_own_bytes = 0;
  tunables_reset();
}

/* ---- the slot equation ---- */

unused_function static bool pool_balanced(struct pool *p, u64 live, u64 cached) {
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

/* ---- the system calls, with a hook before each ---- */

enum vm_call { CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_MADVISE, CALL_MREMAP };

/* false: the call fails with ENOMEM.  Set before threads start. */
static bool (*vm_hook)(enum vm_call call, void *address, size_t length);

#include <errno.h>
#include <sys/mman.h>

static bool vm_hook_allows(enum vm_call call, void *address, size_t length) {
  if (!vm_hook || vm_hook(call, address, length)) return true;
  errno = ENOMEM;
  return false;
}
static void *hooked_mmap(void *address, size_t length, int protection, int flags) {
  return vm_hook_allows(CALL_MMAP, address, length) ? copse_vm_system.mmap(address, length, protection, flags) : MAP_FAILED;
}
static int hooked_munmap(void *address, size_t length) {
  return vm_hook_allows(CALL_MUNMAP, address, length) ? copse_vm_system.munmap(address, length) : -1;
}
static int hooked_mprotect(void *address, size_t length, int protection) {
  return vm_hook_allows(CALL_MPROTECT, address, length) ? copse_vm_system.mprotect(address, length, protection) : -1;
}
static int hooked_madvise(void *address, size_t length, int advice) {
  return vm_hook_allows(CALL_MADVISE, address, length) ? copse_vm_system.madvise(address, length, advice) : -1;
}
static void *hooked_mremap(void *from, size_t old_length, size_t new_length, int flags, void *to) {
  return vm_hook_allows(CALL_MREMAP, from, old_length) ? copse_vm_system.mremap(from, old_length, new_length, flags, to)
                                                       : MAP_FAILED;
}
static const struct vm_calls vm_hooked = {hooked_mmap, hooked_munmap, hooked_mprotect, hooked_madvise, hooked_mremap};

unused_function static void vm_hook_set(bool (*hook)(enum vm_call, void *, size_t)) {
  vm_hook = hook;
  copse_vm = hook ? &vm_hooked : &copse_vm_system;
}

/* ---- another process ---- */

/* Runs `work` in a child; its exit status, or -1 for a signal.  What it prints on stderr stays there. */
unused_function static int in_child(int (*work)(void *), void *argument) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    int status = work(argument);
    fflush(NULL);
    _exit(status);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
