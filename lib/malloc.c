/* SPDX-License-Identifier: MIT */
/*
 * The malloc family over copse, for LD_PRELOAD and for linking: libcopse-malloc.so.  Here are the functions that hand
 * out and take back memory; malloc_info.c and malloc_stats.c answer questions about it.
 *
 * malloc and free are the inlined hot path and nothing more.  All others go through copse.h.  Nothing here keeps any
 * state, so all of it may be called before constructors, in fork handlers and after exit handlers.
 *
 * To be compiled with -fno-builtin: the compiler would turn calloc's body into a call of calloc.
 */
#include "base.h"
#include "copse.h"
#include "copse-inline.h"
#include "check.h"
#include "guard.h"
#include "size_class.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* C23; the C library's headers may not know them yet. */
EXPORT void free_sized(void *ptr, size_t size);
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size);

#if INSTRUMENTED
/* pre: `alignment` is a power of two. */
static void *guarded_aligned(const struct site *at, size_t size, size_t alignment) {
  if (alignment <= COPSE_ALIGNMENT_MAX) return copse_guard_alloc(at, size, alignment, false);
  errno = ENOMEM;
  return NULL;
}

/* As glibc: a size of 0 frees. */
static void *guarded_realloc(const struct site *at, void *ptr, size_t size) {
  if (size || !ptr) return copse_guard_realloc(at, ptr, GUARD_ANY, size);
  copse_guard_free(at, ptr, GUARD_ANY, GUARD_ANY);
  return NULL;
}
#else
#define guarded_aligned(at, size, alignment) NULL
#define guarded_realloc(at, ptr, size) NULL
#endif

/* ------------------------------------------------------------------ the hot pair */

EXPORT void *malloc(size_t size) {
  if (INSTRUMENTED) return copse_guard_alloc(SITE("malloc"), size, 0, false);
  return class_hot_alloc(size);
}

EXPORT void free(void *ptr) {
  if (!INSTRUMENTED)
    copse_inline_free_unsized(ptr); /* the slow path finds out that it is NULL, at no cost to the others */
  else if (ptr)
    copse_guard_free(SITE("free"), ptr, GUARD_ANY, GUARD_ANY);
}

/* ------------------------------------------------------------------ sized */

/* C23: `ptr` is from malloc, calloc or realloc, and `size` is what was asked for. */
EXPORT void free_sized(void *ptr, size_t size) {
  if (INSTRUMENTED && ptr)
    copse_guard_free(SITE("free_sized"), ptr, size, 0);
  else if (ptr)
    copse_inline_free(ptr, size);
}

/* C23: `ptr` is from aligned_alloc, with the same arguments. */
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size) {
  if (INSTRUMENTED && ptr)
    copse_guard_free(SITE("free_aligned_sized"), ptr, size, alignment ? alignment : 1);
  else if (ptr)
    copse_free_aligned(ptr, size, alignment);
}

/* ------------------------------------------------------------------ zeroed and resized */

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

EXPORT void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (unlikely(__builtin_mul_overflow(count, size, &bytes))) return no_memory();
  if (INSTRUMENTED) return copse_guard_alloc(SITE("calloc"), bytes, 0, true);
  return copse_alloc_zeroed(bytes);
}

/* As glibc: a size of 0 frees `ptr` and returns NULL, but for a NULL `ptr`, with which this is malloc. */
EXPORT void *realloc(void *ptr, size_t size) {
  if (INSTRUMENTED) return guarded_realloc(SITE("realloc"), ptr, size);
  if (!ptr) return malloc(size);
  if (!size) {
    free(ptr);
    return NULL;
  }
  return copse_realloc(ptr, copse_usable_size(ptr), size);
}

EXPORT void *reallocarray(void *ptr, size_t count, size_t size) {
  size_t bytes;
  if (unlikely(__builtin_mul_overflow(count, size, &bytes))) return no_memory();
  if (INSTRUMENTED) return guarded_realloc(SITE("reallocarray"), ptr, bytes);
  return realloc(ptr, bytes);
}

/* ------------------------------------------------------------------ aligned */

/* pre: `alignment` is a power of two. */
static void *aligned(size_t size, size_t alignment) {
  if (unlikely(alignment > COPSE_ALIGNMENT_MAX || size > PTRDIFF_MAX)) return no_memory();
  return copse_alloc_aligned(size, alignment);
}

/* C23: what is not a power of two fails; `size` need not be a multiple. */
EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  if (unlikely(!is_power_of_two(alignment))) {
    errno = EINVAL;
    return NULL;
  }
  if (INSTRUMENTED) return guarded_aligned(SITE("aligned_alloc"), size, alignment);
  return aligned(size, alignment);
}

/* POSIX: the error is returned and *result left alone; errno is left alone too. */
EXPORT int posix_memalign(void **result, size_t alignment, size_t size) {
  if (unlikely(alignment < sizeof(void *) || !is_power_of_two(alignment))) return EINVAL;
  int saved = errno;
  void *ptr = INSTRUMENTED ? guarded_aligned(SITE("posix_memalign"), size, alignment) : aligned(size, alignment);
  errno = saved;
  if (unlikely(!ptr)) return ENOMEM;
  *result = ptr;
  return 0;
}

/* As glibc: rounds the alignment up to a power of two, and refuses one that has none above it. */
EXPORT void *memalign(size_t alignment, size_t size) {
  if (INSTRUMENTED && alignment <= COPSE_ALIGNMENT_MIN) return copse_guard_alloc(SITE("memalign"), size, 0, false);
  if (alignment <= COPSE_ALIGNMENT_MIN) return malloc(size);
  if (unlikely(alignment > SIZE_MAX / 2 + 1)) {
    errno = EINVAL;
    return NULL;
  }
  alignment = is_power_of_two(alignment) ? alignment : (size_t)2 << highest_bit(alignment);
  if (INSTRUMENTED) return guarded_aligned(SITE("memalign"), size, alignment);
  return aligned(size, alignment);
}

/* Asked each time: these two are rare, and a remembered answer would be state. */
static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

EXPORT void *valloc(size_t size) {
  if (INSTRUMENTED) return guarded_aligned(SITE("valloc"), size, page_size());
  return aligned(size, page_size());
}

/* Whole pages: at least one. */
EXPORT void *pvalloc(size_t size) {
  size_t page = page_size();
  if (unlikely(size > PTRDIFF_MAX)) return no_memory();
  size = size ? round_up(size, page) : page;
  if (INSTRUMENTED) return guarded_aligned(SITE("pvalloc"), size, page);
  return aligned(size, page);
}

/* ------------------------------------------------------------------ sizes */

/* In the instrumented library exactly the size asked for, so that writing beyond it is seen. */
EXPORT size_t malloc_usable_size(void *ptr) {
  if (INSTRUMENTED && ptr) return copse_guard_size(SITE("malloc_usable_size"), ptr);
  return ptr ? copse_usable_size(ptr) : 0;
}
