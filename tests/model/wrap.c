/* SPDX-License-Identifier: MIT */
/* The C library's functions that the checker does itself: the linker sends their calls here (--wrap). */
#include "engine.h"
#include <pthread.h>
#include <string.h>

#define PC ((uptr)__builtin_return_address(0) - 1)

enum { KEYS = 8, BELIEVED = 1024 };
static uptr believes[T][BELIEVED];
static struct {
  void (*destructor)(void *);
  void *value[T + 1];
} keys[KEYS];
static unsigned key_count, keys_before; /* before: made outside of executions */

void wrap_start(void) {
  key_count = keys_before;
  for (int t = 0; t < T; t++)
    for (int i = 0; i < BELIEVED && believes[t][i]; i++) believes[t][i] = 0;
  for (unsigned k = 0; k < KEYS; k++) memset(keys[k].value, 0, sizeof keys[k].value);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *);
int __wrap_pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *);
int __wrap_pthread_key_create(pthread_key_t *, void (*)(void *));
int __wrap_pthread_setspecific(pthread_key_t, const void *);
int __wrap_pthread_atfork(void (*)(void), void (*)(void), void (*)(void));
int __wrap_open(const char *, int, ...);

/* Of a mutant: mutexes that a thread believes to hold. */
static bool believed(int thread, uptr mutex) {
  for (int i = 0; i < BELIEVED; i++)
    if (believes[thread][i] == mutex) {
      believes[thread][i] = 0;
      return true;
    }
  return false;
}
static void believe(int thread, uptr mutex) {
  int i = 0;
  while (i < BELIEVED && believes[thread][i]) i++;
  if (i == BELIEVED) model_fail("a mutant believes too much");
  believes[thread][i] = mutex;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) {
  if (!now.in_model || now.current == NO || memory_commutes((uptr)mutex)) return 0;
  search_may_stop(PC);
  enum change change = sites_lock(PC);
  if (change != AS_IT_IS) believe(now.current, (uptr)mutex);
  if (change == LEFT_OUT) return 0;
  struct op op = {.kind = LOCK, .order = ACQUIRE, .half = 3, .place = memory_mutex((uptr)mutex), .pc = PC};
  search_visible(&op);
  if (change == LET_GO) memory_unlock(now.current, op.place, PC);
  return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex) {
  if (now.in_model && now.current != NO && !memory_commutes((uptr)mutex) && !believed(now.current, (uptr)mutex))
    memory_unlock(now.current, memory_mutex((uptr)mutex), PC);
  return 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  (void)mutex;
  (void)attributes;
  return 0;
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
  if (key_count == KEYS) return 11; /* EAGAIN */
  keys[key_count].destructor = destructor;
  *key = key_count++;
  if (!now.noting) keys_before = key_count;
  return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
  keys[key].value[now.current == NO ? T : now.current] = (void *)(uptr)value;
  return 0;
}

void model_thread_exit(void) {
  int me = now.current == NO ? T : now.current;
  for (unsigned k = 0; k < key_count; k++) {
    void *value = keys[k].value[me];
    keys[k].value[me] = NULL;
    if (value && keys[k].destructor) keys[k].destructor(value);
  }
}

struct fork_handlers wrap_fork;

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  wrap_fork = (struct fork_handlers){prepare, parent, child};
  return 0;
}

/* The system's facts are not asked for in the model. */
int __wrap_open(const char *path, int flags, ...) {
  (void)path;
  (void)flags;
  return -1;
}
