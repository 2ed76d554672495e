/* SPDX-License-Identifier: MIT */
/*
 * A shared object for test_malloc_process.c to load and unload: it allocates in its constructor, frees in its
 * destructor, and has a thread-local variable of its own.  With COPSE_TEST_HANDLERS, for test_malloc_atfork.c, it has handlers of fork
 * as well, which its constructor registers before it allocates.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int plugin_sum(void);
EXPORT void *plugin_make(size_t size);
EXPORT extern pthread_mutex_t plugin_mutex;

enum { N = 100 };

static unsigned char *volatile block[N];
static __thread int calls;

pthread_mutex_t plugin_mutex = PTHREAD_MUTEX_INITIALIZER;
static void lock(void) { pthread_mutex_lock(&plugin_mutex); }
static void unlock(void) { pthread_mutex_unlock(&plugin_mutex); }

__attribute__((constructor)) static void start(void) {
  if (getenv("COPSE_TEST_HANDLERS")) pthread_atfork(lock, unlock, unlock);
  for (unsigned i = 0; i < N; i++) {
    block[i] = malloc(i * 37);
    if (block[i]) memset(block[i], (int)i, i * 37);
  }
}

__attribute__((destructor)) static void end(void) {
  for (unsigned i = 0; i < N; i++) free(block[i]);
}

/* 0 if what the constructor wrote is still there, and how often it was called by this thread above that. */
EXPORT int plugin_sum(void) {
  for (unsigned i = 0; i < N; i++) {
    for (unsigned k = 0; k < i * 37; k++) {
      if (block[i][k] != i) return -1;
    }
  }
  return calls++;
}

EXPORT void *plugin_make(size_t size) { return calloc(1, size); }
