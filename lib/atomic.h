/* SPDX-License-Identifier: MIT */
/*
 * Every atomic operation of copse, the order in its name.  This file and copse-inline.h alone name the builtins.
 * A caller's comment says which other access its order pairs with.
 */
#ifndef COPSE_ATOMIC_H
#define COPSE_ATOMIC_H

#include "base.h"

#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define or_release(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define add_release(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
/* On failure *expected becomes what was read, in the order of the failure. */
#define cas_relaxed(p, expected, v) \
  __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cas_acquire(p, expected, v) \
  __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cas_release(p, expected, v) \
  __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)

/*
 * Orders this thread's stores as a child of fork finds them: all before, then those after.  Nothing pairs with it in C's
 * model, which knows no fork; where the machine keeps stores in order, it only holds the compiler.
 */
#if defined(__x86_64__)
#define order_stores() __asm__ volatile("" ::: "memory")
#else
#define order_stores() __asm__ volatile("dmb ishst" ::: "memory")
#endif

/* A counter that only its owner writes and others read: a plain add, never a locked one. */
#define count_owner(p, v) store_relaxed((p), load_relaxed(p) + (v))

/* Two words that are compared and swapped as one. */
struct pair {
  u64 low, high;
} __attribute__((aligned(16)));

typedef unsigned __int128 u128 __attribute__((aligned(16), may_alias));

static inline u128 pair_bits(struct pair x) { return (u128)x.high << 64 | x.low; }
static inline struct pair pair_from(u128 bits) { return (struct pair){(u64)bits, (u64)(bits >> 64)}; }

/*
 * gcc 12 makes __atomic on 16 bytes a call into libatomic, and __sync the bare instruction (always seq_cst); clang makes
 * __atomic the instruction.  Under TSan both runtimes want __atomic, with the declared order.
 */
#if defined(__clang__) || defined(__SANITIZE_THREAD__)
#define CAS_PAIR_(p, expected, desired, success, failure) \
  u128 seen = pair_bits(*(expected)); \
  bool done = __atomic_compare_exchange_n((u128 *)(p), &seen, pair_bits(desired), false, (success), (failure))
#else
#define CAS_PAIR_(p, expected, desired, success, failure) \
  u128 want = pair_bits(*(expected)); \
  u128 seen = __sync_val_compare_and_swap((u128 *)(p), want, pair_bits(desired)); \
  bool done = seen == want
#endif

/* release on success, relaxed on failure: for a publication that reads nothing through what it found. */
static inline bool cas_pair_release(struct pair *p, struct pair *expected, struct pair desired) {
  CAS_PAIR_(p, expected, desired, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  if (!done) *expected = pair_from(seen);
  return done;
}

/* acquire on success and failure: what the word points at is read next, either way. */
static inline bool cas_pair_acquire(struct pair *p, struct pair *expected, struct pair desired) {
  CAS_PAIR_(p, expected, desired, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);
  if (!done) *expected = pair_from(seen);
  return done;
}

#endif
