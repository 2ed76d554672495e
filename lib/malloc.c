/* SPDX-License-Identifier: MIT */
/*
 * The malloc family over copse, for LD_PRELOAD and for linking: libcopse-malloc.so.  Here are the functions that hand
 * out and take back memory; malloc_info.c and malloc_stats.c answer questions about it.
 *
 * malloc and free are the inlined hot path and nothing more.  All others go through copse.h, or, in the instrumented
 * library, with the name that was called, through guard.h.  Nothing here keeps any state, so all of it may be called
 * before constructors, in fork handlers and after exit handlers.
 *
 * reallocarray is the C library's, which calls realloc by its symbol: one from here would be given what is not copse's where
 * a program has a malloc of its own, for which malloc, calloc, realloc and free are enough.
 * Source: The GNU C Library Reference Manual, 3.2.5, Replacing malloc.
 *
 * To be compiled with -fno-builtin: the compiler would turn calloc's body into a call of calloc.
 */
#include "base.h"
#include "copse.h"
#include "copse-inline.h"
#include "check.h"
#include "guard.h"
#include "malloc_words.h"
#include "size_class.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* C23; the C library's headers may not know them yet. */
EXPORT void free_sized(void *ptr, size_t size);
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size);
/* glibc's until 2.26, whose own is still there for what was linked before: it would be given what is copse's. */
EXPORT void cfree(void *ptr);
/* glibc's, in no header. */
EXPORT void *__libc_malloc(size_t size);
EXPORT void *__libc_calloc(size_t count, size_t size);
EXPORT void *__libc_realloc(void *ptr, size_t size);
EXPORT void __libc_free(void *ptr);
EXPORT void *__libc_memalign(size_t alignment, size_t size);
EXPORT void *__libc_valloc(size_t size);
EXPORT void *__libc_pvalloc(size_t size);

static cold_path void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

/* ------------------------------------------------------------------ the seam: checked or plain */

static inline void *take(const struct site *at, size_t size) {
  if (INSTRUMENTED) return copse_guard_alloc(at, size, 0, false);
  return class_hot_alloc(size);
}

static inline void *take_zeroed(const struct site *at, size_t size) {
  if (INSTRUMENTED) return copse_guard_alloc(at, size, 0, true);
  return copse_alloc_zeroed(size);
}

/* pre: `alignment` is a power of two. */
static inline void *take_aligned(const struct site *at, size_t size, size_t alignment) {
  if (unlikely(alignment > COPSE_ALIGNMENT_MAX || size > PTRDIFF_MAX)) return no_memory();
  if (INSTRUMENTED) return copse_guard_alloc(at, size, alignment, false);
  return copse_alloc_aligned(size, alignment);
}

/* In release the address says it all, and the slow path finds out that it is NULL, at no cost to the others. */
static inline void give(const struct site *at, void *ptr, u64 size, u64 alignment) {
  if (!INSTRUMENTED)
    copse_hot_free_by_address_(ptr);
  else if (ptr)
    copse_guard_free(at, ptr, size, alignment);
}

/* `at` is unsized.  As glibc: a size of 0 frees `ptr` and returns NULL, but for a NULL `ptr`, with which this is malloc. */
static inline void *resize(const struct site *at, void *ptr, size_t size) {
  if (!ptr) return take(at, size);
  if (!size) {
    give(at, ptr, 0, GUARD_ANY);
    return NULL;
  }
  if (INSTRUMENTED) return copse_guard_realloc(at, ptr, 0, size);
  return copse_realloc(ptr, copse_usable_size(ptr), size);
}

static inline size_t size_of(const struct site *at, const void *ptr) {
  if (INSTRUMENTED) return copse_guard_size(at, ptr);
  return copse_usable_size(ptr);
}

/* ------------------------------------------------------------------ the hot pair */

EXPORT void *malloc(size_t size) { return take(SITE("malloc"), size); }

EXPORT void free(void *ptr) { give(SITE_UNSIZED("free"), ptr, 0, GUARD_ANY); }

EXPORT void cfree(void *ptr) { give(SITE_UNSIZED("cfree"), ptr, 0, GUARD_ANY); }

/* ------------------------------------------------------------------ sized */

/* C23: `ptr` is from malloc, calloc or realloc, and `size` is what was asked for. */
EXPORT void free_sized(void *ptr, size_t size) { give(SITE("free_sized"), ptr, size, 0); }

/* C23: `ptr` is from aligned_alloc, with the same arguments. */
EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size) {
  give(SITE("free_aligned_sized"), ptr, size, guard_alignment(alignment));
}

/* ------------------------------------------------------------------ zeroed and resized */

EXPORT void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (unlikely(__builtin_mul_overflow(count, size, &bytes))) return no_memory();
  return take_zeroed(SITE("calloc"), bytes);
}

EXPORT void *realloc(void *ptr, size_t size) { return resize(SITE_UNSIZED("realloc"), ptr, size); }

/* ------------------------------------------------------------------ aligned */

/* C23: what is not a power of two fails; `size` need not be a multiple. */
EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  if (unlikely(!is_power_of_two(alignment))) {
    errno = EINVAL;
    return NULL;
  }
  return take_aligned(SITE("aligned_alloc"), size, alignment);
}

/* POSIX: the error is returned and *result left alone; errno is left alone too. */
EXPORT int posix_memalign(void **result, size_t alignment, size_t size) {
  if (unlikely(alignment < sizeof(void *) || !is_power_of_two(alignment))) return EINVAL;
  int saved = errno;
  void *ptr = take_aligned(SITE("posix_memalign"), size, alignment);
  errno = saved;
  if (unlikely(!ptr)) return ENOMEM;
  *result = ptr;
  return 0;
}

/* As glibc: rounds the alignment up to a power of two, and refuses one that has none above it. */
EXPORT void *memalign(size_t alignment, size_t size) {
  if (alignment <= COPSE_ALIGNMENT_MIN) return take(SITE("memalign"), size);
  if (unlikely(alignment > SIZE_MAX / 2 + 1)) {
    errno = EINVAL;
    return NULL;
  }
  alignment = is_power_of_two(alignment) ? alignment : (size_t)2 << highest_bit(alignment);
  return take_aligned(SITE("memalign"), size, alignment);
}

/* Asked each time: these two are rare, and a remembered answer would be state. */
static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

EXPORT void *valloc(size_t size) { return take_aligned(SITE("valloc"), size, page_size()); }

/* Whole pages: at least one. */
EXPORT void *pvalloc(size_t size) {
  size_t page = page_size();
  if (unlikely(size > PTRDIFF_MAX)) return no_memory();
  return take_aligned(SITE("pvalloc"), size ? round_up(size, page) : page, page);
}

/* ------------------------------------------------------------------ by glibc's other names */

/*
 * A program that counts what it allocates has a malloc, calloc, realloc and free of its own, which call the C library's by these
 * names.  What it has no function of its own for comes from here, and is freed by them: so it has to be one allocator.
 */
EXPORT void *__libc_malloc(size_t size) { return take(SITE("__libc_malloc"), size); }
EXPORT void __libc_free(void *ptr) { give(SITE_UNSIZED("__libc_free"), ptr, 0, GUARD_ANY); }
EXPORT void *__libc_calloc(size_t count, size_t size) { return calloc(count, size); }
EXPORT void *__libc_realloc(void *ptr, size_t size) { return resize(SITE_UNSIZED("__libc_realloc"), ptr, size); }
EXPORT void *__libc_memalign(size_t alignment, size_t size) { return memalign(alignment, size); }
EXPORT void *__libc_valloc(size_t size) { return valloc(size); }
EXPORT void *__libc_pvalloc(size_t size) { return pvalloc(size); }

/* ------------------------------------------------------------------ sizes */

/* In the instrumented library exactly the size asked for, so that writing beyond it is seen. */
EXPORT size_t malloc_usable_size(void *ptr) {
  return ptr ? size_of(SITE("malloc_usable_size"), ptr) : 0;
}
