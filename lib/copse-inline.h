/* SPDX-License-Identifier: MIT */
/*
 * The hot path, for callers who want it inlined.
 *
 * Opt in by including this file and calling copse_inline_alloc and copse_inline_free where copse_alloc and copse_free
 * would do; their contracts are those of copse_alloc, copse_free and copse_free_unsized, and both kinds may be mixed
 * freely.  ABI: what ends in an underscore here may change with any release; link libcopse statically, or rebuild when
 * its version changes.  Where COPSE_INSTRUMENTED is defined (pkg-config copse-instrumented does), these call the functions.
 *
 *   hot->top[class] --> | header | NULL | slot | slot | slot |   ...   | <- 1 KB boundary
 *                                                        ^top
 *
 * The NULL below the bottom is the only test for empty, the boundary the only one for full.  A thread's first call finds
 * a bundle that is both.
 */
#ifndef COPSE_INLINE_H
#define COPSE_INLINE_H

#include "copse.h"

#ifdef __cplusplus
/* C casts: this is C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
extern "C" {
#endif

/*
 * What the hot path reads of a thread's cache.  Only its thread writes it, but for `key` and `bits`, which are constant.
 *
 *   p:           [ reservation ][ arena : 3 ][ class : 6 ][ offset : bits ]
 *   p ^ key:     [      0      ][ 0: mine   ][ class     ][ offset        ]
 *
 * So a slot of the thread's own arena stands in the first 64 tops, and one that has come from a neighbour's stands apart.
 */
enum { COPSE_TOPS_ = 512 };
/* What is of this size or less is a slot; what is larger may be a span that copse_realloc made of one. */
enum { COPSE_SLOT_SIZE_ = 65536 };
struct copse_hot_ {
  uintptr_t key; /* of the thread's arena */
  uint64_t bits; /* of a region's offset; 63 before a thread's first allocation: then each place is that of the first top, full */
  void **top[COPSE_TOPS_]; /* other threads may read them; NULL, which is on a boundary: full, and never read */
};

#ifdef COPSE_TLS_DYNAMIC
COPSE_API extern __thread struct copse_hot_ *copse_self_;
#else
COPSE_API extern __thread struct copse_hot_ *copse_self_ __attribute__((tls_model("initial-exec")));
#endif

COPSE_API void *copse_alloc_slow_(unsigned size_class) __attribute__((cold, noinline));
COPSE_API void *copse_alloc_large_(size_t size) __attribute__((cold, noinline));
COPSE_API void copse_free_slow_(void *ptr) __attribute__((cold, noinline));

/*
 * The calling thread's cache.  A fiber may have moved since the last call, so a compiler must not keep the address of a
 * thread-local variable across calls: the asm is volatile, and so is not hoisted over them.
 */
static inline struct copse_hot_ *copse_hot_of_thread_(void) {
#if defined(__x86_64__) && !defined(COPSE_TLS_DYNAMIC)
  struct copse_hot_ *hot;
  uintptr_t offset;
  __asm__("mov{q copse_self_@gottpoff(%%rip), %0| %0, QWORD PTR copse_self_@gottpoff[rip]}" : "=r"(offset));
  __asm__ volatile("mov{q %%fs:(%1), %0| %0, QWORD PTR fs:[%1]}" : "=r"(hot) : "r"(offset));
  return hot;
#elif defined(__aarch64__) && !defined(COPSE_TLS_DYNAMIC)
  uintptr_t offset, thread;
  __asm__("adrp %0, :gottprel:copse_self_\n\tldr %0, [%0, #:gottprel_lo12:copse_self_]" : "=r"(offset));
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
  return *(struct copse_hot_ **)(thread + offset);
#else
  return copse_self_;
#endif
}

/* 16-byte steps to 128, then four per doubling.  pre: size <= COPSE_CLASS_SIZE_MAX. */
static inline unsigned copse_class_(size_t size) {
  size_t last = size ? size - 1 : 0;
  if (last < 128) return (unsigned)(last >> 4);
  unsigned top = 63u ^ (unsigned)__builtin_clzll(last);
  return 4 * top - 20 + (unsigned)(last >> (top - 2) & 3);
}

static inline void *copse_hot_alloc_(unsigned size_class) {
  struct copse_hot_ *hot = copse_hot_of_thread_();
  /* relaxed: this thread alone writes it. */
  void **top = __atomic_load_n(&hot->top[size_class], __ATOMIC_RELAXED);
  void *p = top[-1];
  if (__builtin_expect(!p, 0)) return copse_alloc_slow_(size_class);
  /* relaxed: trim and statistics read it, and nothing through it. */
  __atomic_store_n(&hot->top[size_class], top - 1, __ATOMIC_RELAXED);
  return p;
}

/* Where the top for `p` stands; COPSE_TOPS_ or above where `p` is in no class. */
static inline uint64_t copse_hot_place_(const struct copse_hot_ *hot, const void *p) {
  return ((uintptr_t)p ^ hot->key) >> hot->bits;
}

/* pre: `place` is that of `p`, below COPSE_TOPS_. */
static inline void copse_hot_free_at_(struct copse_hot_ *hot, uint64_t place, void *p) {
  void **top = __atomic_load_n(&hot->top[place], __ATOMIC_RELAXED);
  if (__builtin_expect(((uintptr_t)top & 1023) == 0, 0)) {
    copse_free_slow_(p);
    return;
  }
  /* relaxed: statistics read the slots of bundles that are in use. */
  __atomic_store_n(top, p, __ATOMIC_RELAXED);
  /* release: pairs with the acquire of statistics, to whom a bundle may be new; a child of fork finds the slot below the top. */
  __atomic_store_n(&hot->top[place], top + 1, __ATOMIC_RELEASE);
}

static inline void copse_hot_free_by_address_(void *p) {
  struct copse_hot_ *hot = copse_hot_of_thread_();
  uint64_t place = copse_hot_place_(hot, p);
  if (__builtin_expect(place >= COPSE_TOPS_, 0)) {
    copse_free_slow_(p);
    return;
  }
  copse_hot_free_at_(hot, place, p);
}

#ifdef COPSE_INSTRUMENTED

static inline void *copse_inline_alloc(size_t size) { return copse_alloc(size); }
static inline void copse_inline_free(void *ptr, size_t size) { copse_free(ptr, size); }
static inline void copse_inline_free_unsized(void *ptr) { copse_free_unsized(ptr); }

#else

static inline void *copse_inline_alloc(size_t size) {
  if (__builtin_expect(size > COPSE_CLASS_SIZE_MAX, 0)) return copse_alloc_large_(size);
  return copse_hot_alloc_(copse_class_(size));
}

static inline void copse_inline_free_unsized(void *ptr) { copse_hot_free_by_address_(ptr); }

/* By its address, which says whose slot it is; a size known at compile time may say that it is a slot. */
static inline void copse_inline_free(void *ptr, size_t size) {
  if (__builtin_constant_p(size) && size <= COPSE_SLOT_SIZE_) {
    struct copse_hot_ *hot = copse_hot_of_thread_();
    copse_hot_free_at_(hot, copse_hot_place_(hot, ptr), ptr);
  } else {
    copse_hot_free_by_address_(ptr);
  }
}

#endif

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
#endif

#endif
