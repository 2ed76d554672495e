/* SPDX-License-Identifier: MIT */
#include "lock.h"
#include "atomic.h"
#include "check.h"

/* Which thread forks at the moment: the address of its `here`, or 0.  Only that thread compares equal. */
static uptr forking;
static __thread char here __attribute__((tls_model("initial-exec")));
#if INSTRUMENTED
/* The ranks this thread holds, a bit each: those below RANK_POOL, and from there on. */
static_assert(RANK_POOL <= 64, "the lower ranks have a bit each");
static __thread u64 held_low __attribute__((tls_model("initial-exec")));
static __thread u64 held_pools __attribute__((tls_model("initial-exec")));
#endif

static bool forks(void) {
  /* relaxed: a thread sees its own store; any other value is not equal to its own address. */
  uptr owner = load_relaxed(&forking);
  return unlikely(owner != 0) && owner == (uptr)&here;
}

void copse_lock_init(struct lock *lock, unsigned rank) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
#ifdef __GLIBC__
  /* Spins a bounded number of times before it sleeps: holds are short. */
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
  pthread_mutex_init(&lock->mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  lock->rank = rank;
}

void copse_lock_acquire(struct lock *lock) {
  if (forks()) return;
#if INSTRUMENTED
  if (lock->rank >= RANK_POOL) {
    must(!(held_pools >> (lock->rank - RANK_POOL)));
    held_pools |= (u64)1 << (lock->rank - RANK_POOL);
  } else {
    must(!held_pools && !(held_low >> lock->rank));
    held_low |= (u64)1 << lock->rank;
  }
#endif
  pthread_mutex_lock(&lock->mutex);
}

void copse_lock_release(struct lock *lock) {
  if (forks()) return;
#if INSTRUMENTED
  if (lock->rank >= RANK_POOL) {
    must(held_pools >> (lock->rank - RANK_POOL) & 1);
    held_pools &= ~((u64)1 << (lock->rank - RANK_POOL));
  } else {
    must(held_low >> lock->rank & 1);
    held_low &= ~((u64)1 << lock->rank);
  }
#endif
  pthread_mutex_unlock(&lock->mutex);
}

bool copse_lock_holds_pool(void) {
#if INSTRUMENTED
  return !forks() && held_pools;
#else
  return false;
#endif
}

bool copse_lock_seized(void) { return forks(); }

void copse_lock_seize(void) { store_relaxed(&forking, (uptr)&here); }

void copse_lock_yield(void) {
#if INSTRUMENTED
  if (load_relaxed(&forking) == 0) return;
#endif
  store_relaxed(&forking, (uptr)0);
}
