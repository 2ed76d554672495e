/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the drop-in's tests: keeping the compiler from knowing better than the allocator, and patterns in memory.
 */
#ifndef COPSE_TEST_MALLOC_H
#define COPSE_TEST_MALLOC_H

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* C23; weak, so that the tests can be run on a malloc without them. */
extern void free_sized(void *ptr, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *ptr, size_t alignment, size_t size) __attribute__((weak));
/* Of programs that are older than glibc 2.26, which has it for them alone. */
extern void cfree(void *ptr) __attribute__((weak));

static inline bool any_malloc(void) { return getenv("COPSE_TEST_ANY_MALLOC") != NULL; }

/* The compiler may take a malloc for needless, or know what calloc's memory holds, but not behind this. */
static inline void *hide(void *ptr) {
  __asm__ volatile("" : "+r"(ptr) : : "memory");
  return ptr;
}

static inline size_t opaque(size_t size) {
  __asm__ volatile("" : "+r"(size));
  return size;
}

static inline unsigned char pattern(size_t seed, size_t at) {
  return (unsigned char)(at * 31 + (at >> 8) + seed * 7 + 1);
}

static inline void fill(unsigned char *ptr, size_t size, size_t seed) {
  for (size_t at = 0; at < size; at++) ptr[at] = pattern(seed, at);
}

static inline bool is_filled(const unsigned char *ptr, size_t size, size_t seed) {
  for (size_t at = 0; at < size; at++) {
    if (ptr[at] != pattern(seed, at)) return false;
  }
  return true;
}

static inline bool is_zero(const unsigned char *ptr, size_t size) {
  unsigned char any = 0;
  for (size_t at = 0; at < size; at++) any |= ptr[at];
  return !any;
}

#define assert_filled(ptr, size, seed) assert_true(is_filled(ptr, size, seed))

#define assert_aligned(ptr, alignment) assert_int_equal((uintptr_t)(ptr) & ((alignment)-1), 0)

/* The call returns NULL and says why. */
#define assert_fails(error, call)                                                                                      \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    assert_null(hide(call));                                                                                           \
    assert_int_equal(errno, error);                                                                                    \
  } while (0)

/* The instrumented drop-in holds back what is freed, until a trim. */
static inline bool is_instrumented(void) {
  Dl_info info;
  return dladdr((void *)(uintptr_t)malloc, &info) && strstr(info.dli_fname, "instrumented");
}

#endif
