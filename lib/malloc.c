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
#include "size_class.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* C23; the C library's headers may not know them yet. */
EXPORT void free_sized(void *ptr, size_t size);
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size);

/* ------------------------------------------------------------------ the hot pair */

EXPORT void *malloc(size_t size) {
#ifdef COPSE_INSTRUMENTED
  return copse_alloc(size);
#else
  return class_hot_alloc(size);
#endif
}

EXPORT void free(void *ptr) {
#ifdef COPSE_INSTRUMENTED
  if (!ptr) return; /* in release the slow path finds out, at no cost to the others */
#endif
  copse_inline_free_unsized(ptr);
}

/* ------------------------------------------------------------------ sized */

/* C23: `ptr` is from malloc, calloc or realloc, and `size` is what was asked for. */
EXPORT void free_sized(void *ptr, size_t size) {
  if (ptr) copse_inline_free(ptr, size);
}

/* C23: `ptr` is from aligned_alloc, with the same arguments. */
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size) {
  if (ptr) copse_free_aligned(ptr, size, alignment);
}

/* ------------------------------------------------------------------ zeroed and resized */

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

EXPORT void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (unlikely(__builtin_mul_overflow(count, size, &bytes))) return no_memory();
  return copse_alloc_zeroed(bytes);
}

/* As glibc: a size of 0 frees `ptr` and returns NULL, but for a NULL `ptr`, with which this is malloc. */
EXPORT void *realloc(void *ptr, size_t size) {
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
  return aligned(size, alignment);
}

/* POSIX: the error is returned and *result left alone; errno is left alone too. */
EXPORT int posix_memalign(void **result, size_t alignment, size_t size) {
  if (unlikely(alignment < sizeof(void *) || !is_power_of_two(alignment))) return EINVAL;
  int saved = errno;
  void *ptr = aligned(size, alignment);
  errno = saved;
  if (unlikely(!ptr)) return ENOMEM;
  *result = ptr;
  return 0;
}

/* As glibc: rounds the alignment up to a power of two, and refuses one that has none above it. */
EXPORT void *memalign(size_t alignment, size_t size) {
  if (alignment <= COPSE_ALIGNMENT_MIN) return malloc(size);
  if (unlikely(alignment > SIZE_MAX / 2 + 1)) {
    errno = EINVAL;
    return NULL;
  }
  return aligned(size, is_power_of_two(alignment) ? alignment : (size_t)2 << highest_bit(alignment));
}

/* Asked each time: these two are rare, and a remembered answer would be state. */
static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

EXPORT void *valloc(size_t size) { return aligned(size, page_size()); }

/* Whole pages: at least one. */
EXPORT void *pvalloc(size_t size) {
  size_t page = page_size();
  if (unlikely(size > PTRDIFF_MAX)) return no_memory();
  return aligned(size ? round_up(size, page) : page, page);
}

/* ------------------------------------------------------------------ sizes */

/* In the instrumented library exactly the size asked for, so that writing beyond it is seen. */
EXPORT size_t malloc_usable_size(void *ptr) { return ptr ? copse_usable_size(ptr) : 0; }
