/* SPDX-License-Identifier: MIT */
/*
 * The allocator under test, as each of the three binaries sees it.
 *
 *   workloads           malloc and free of whatever LD_PRELOAD brings
 *   workloads-sized     copse.h: the size is given to free, batches are batch calls
 *   workloads-inline    copse-inline.h, linked statically
 *
 * Everything here is inlined away: no adapter may cost anything, count anything or keep a function pointer, or the
 * benchmark measures itself.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include <stddef.h>
#include <stdlib.h>

#if defined(BENCH_SIZED)
#include "copse.h"
#elif defined(BENCH_INLINE)
#include "copse-inline.h"
#endif

/* Hides from the compiler where the pointer comes from, so that it cannot pair an allocation with its free and drop
 * both.  No "memory" clobber: it would forbid the inlined path to keep its state in registers, as users' code lets it.
 */
static inline void *opaque(void *ptr) {
  __asm__ volatile("" : "+r"(ptr));
  return ptr;
}

#if defined(BENCH_SIZED)

#define BENCH_KIND "sized"
static inline void *bench_alloc(size_t size) { return opaque(copse_alloc(size)); }
static inline void bench_free(void *ptr, size_t size) { copse_free(ptr, size); }
static inline void *bench_realloc(void *ptr, size_t old_size, size_t size) {
  return opaque(copse_realloc(ptr, old_size, size));
}

#elif defined(BENCH_INLINE)

#define BENCH_KIND "inline"
static inline void *bench_alloc(size_t size) { return opaque(copse_inline_alloc(size)); }
/* Where the size is no constant the address is the cheaper way to the class. */
static inline __attribute__((always_inline)) void bench_free(void *ptr, size_t size) {
  if (__builtin_constant_p(size))
    copse_inline_free(ptr, size);
  else
    copse_inline_free_unsized(ptr);
}
static inline void *bench_realloc(void *ptr, size_t old_size, size_t size) {
  return opaque(copse_realloc(ptr, old_size, size));
}

#else

#define BENCH_KIND "malloc"
static inline void *bench_alloc(size_t size) { return opaque(malloc(size)); }
static inline void bench_free(void *ptr, size_t size) {
  (void)size;
  free(ptr);
}
static inline void *bench_realloc(void *ptr, size_t old_size, size_t size) {
  (void)old_size;
  return opaque(realloc(ptr, size));
}

#endif

#if defined(BENCH_SIZED) || defined(BENCH_INLINE)

static inline size_t bench_alloc_batch(size_t size, size_t n, void **out) { return copse_alloc_batch(size, n, out); }
static inline void bench_free_batch(size_t size, size_t n, void **ptrs) { copse_free_batch(size, n, ptrs); }

#else

/* What a program does that has no batch call. */
static inline size_t bench_alloc_batch(size_t size, size_t n, void **out) {
  for (size_t i = 0; i < n; i++) out[i] = bench_alloc(size);
  return n;
}
static inline void bench_free_batch(size_t size, size_t n, void **ptrs) {
  for (size_t i = 0; i < n; i++) bench_free(ptrs[i], size);
}

#endif

/* Never on a timed path; trim.c. */
void bench_trim(void);

#endif
