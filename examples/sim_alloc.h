/* SPDX-License-Identifier: MIT */
/*
 * The one place where the simulation meets its allocator: copse's native interface, or with -DSIM_SYSTEM_MALLOC the
 * system's malloc.  Whatever lives in the world, lists included, comes from here; running out of memory ends the
 * program.
 */
#ifndef SIM_ALLOC_H
#define SIM_ALLOC_H

#include <stddef.h>

/* One line on stderr, exit status 1. */
_Noreturn void sim_out_of_memory(size_t size);

#ifdef SIM_SYSTEM_MALLOC

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#define SIM_ALLOCATOR "system"

static inline void *sim_try_alloc(size_t size) { return malloc(size); }
static inline void *sim_try_resize(void *ptr, size_t old_size, size_t new_size) {
  (void)old_size;
  return realloc(ptr, new_size);
}
static inline void sim_free(void *ptr, size_t size) {
  (void)size;
  free(ptr);
}
static inline void sim_checkpoint(void) {}
static inline void sim_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
/* Sets a parameter; 0, or what is wrong.  It has none. */
static inline int sim_tune(const char *name, uint64_t value) {
  (void)name, (void)value;
  return -1;
}
/* It does not say what is where. */
enum { SIM_HAS_MAP = 0 };
static inline void sim_map(const char *name) { (void)name; }
static inline void sim_map_print(int table) { (void)table; }
/* It does not say. */
static inline int sim_counted(uint64_t *system_calls, uint64_t *pool_locks) {
  *system_calls = *pool_locks = 0;
  return 0;
}

#else

#include "copse.h"
#include "sim_map.h"

#define SIM_ALLOCATOR "copse"

static inline void *sim_try_alloc(size_t size) { return copse_alloc(size); }
static inline void *sim_try_resize(void *ptr, size_t old_size, size_t new_size) {
  return copse_realloc(ptr, old_size, new_size);
}
/* pre: `ptr` is not NULL. */
static inline void sim_free(void *ptr, size_t size) { copse_free(ptr, size); }
static inline void sim_checkpoint(void) { copse_checkpoint(); }
static inline void sim_trim(void) { copse_trim(); }
static inline int sim_tune(const char *name, uint64_t value) { return copse_tune_set(name, value); }
enum { SIM_HAS_MAP = 1 };
static inline void sim_map(const char *name) { sim_map_write(name); }
static inline void sim_map_print(int table) { sim_map_report(table); }
/* What the allocator has done so far on its slow paths; false where it does not say. */
static inline int sim_counted(uint64_t *system_calls, uint64_t *pool_locks) {
  static struct copse_stats stats;
  copse_stats(&stats);
  *system_calls = stats.system_calls;
  *pool_locks = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) *pool_locks += stats.classes[class].locked;
  return 1;
}

#endif

static inline void *sim_alloc(size_t size) {
  void *ptr = sim_try_alloc(size);
  if (__builtin_expect(!ptr, 0)) sim_out_of_memory(size);
  return ptr;
}

static inline void *sim_resize(void *ptr, size_t old_size, size_t new_size) {
  void *moved = sim_try_resize(ptr, old_size, new_size);
  if (__builtin_expect(!moved, 0)) sim_out_of_memory(new_size);
  return moved;
}

#endif
