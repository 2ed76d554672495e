/* SPDX-License-Identifier: MIT */
/*
 * Asks the allocator to give its free memory back, as strongly as its own interface can.
 */
#include "alloc.h"
#include "bench.h"

#include <dlfcn.h>
#include <string.h>

/* A call that only ages what is free needs more than one; all get the same number. */
#define TRIMS 3

#if defined(BENCH_SIZED) || defined(BENCH_INLINE)

void bench_trim(void) {
  for (unsigned i = 0; i < TRIMS; i++) (void)copse_trim();
}

#else

/* dlsym returns an object pointer; ISO C has no cast from there to a function. */
static bool find(const char *name, void *function_pointer) {
  void *symbol = dlsym(RTLD_DEFAULT, name);
  memcpy(function_pointer, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void trim_once(void) {
  void (*collect)(bool);
  int (*control)(const char *, void *, size_t *, void *, size_t);
  void (*release)(void);
  int (*trim)(size_t);
  /* The library's own call first; malloc_trim is always there, if only glibc's, where it would do nothing for another.
   */
  if (find("mi_collect", &collect)) {
    collect(true);
  } else if (find("mallctl", &control)) {
    control("thread.tcache.flush", NULL, NULL, NULL, 0);
    control("arena.4096.purge", NULL, NULL, NULL, 0); /* MALLCTL_ARENAS_ALL */
  } else if (find("MallocExtension_ReleaseFreeMemory", &release)) {
    release();
  } else if (find("malloc_trim", &trim)) {
    trim(0);
  }
}

void bench_trim(void) {
  for (unsigned i = 0; i < TRIMS; i++) trim_once();
}

#endif
