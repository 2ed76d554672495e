/* SPDX-License-Identifier: MIT */
/*
 * Included before all else in lib/malloc*.c: the family gets other names, so that it can be called beside the program's own malloc,
 * which engine and sanitizers need.  By assembler name: the sources are what they are in the drop-in.
 */
#ifndef COPSE_FUZZ_PREFIX_H
#define COPSE_FUZZ_PREFIX_H

#include <malloc.h>
#include <stdlib.h>

#define PREFIXED(name) extern __typeof__(name) name __asm__("prefixed_" #name)
PREFIXED(malloc);
PREFIXED(calloc);
PREFIXED(realloc);
PREFIXED(free);
PREFIXED(aligned_alloc);
PREFIXED(posix_memalign);
PREFIXED(memalign);
PREFIXED(valloc);
PREFIXED(pvalloc);
PREFIXED(malloc_usable_size);
PREFIXED(malloc_trim);
PREFIXED(mallopt);
PREFIXED(mallinfo2);
PREFIXED(malloc_stats);
PREFIXED(malloc_info);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
PREFIXED(mallinfo);
#pragma GCC diagnostic pop
#undef PREFIXED

extern void *__libc_malloc(size_t size) __asm__("prefixed___libc_malloc");
extern void *__libc_calloc(size_t count, size_t size) __asm__("prefixed___libc_calloc");
extern void *__libc_realloc(void *ptr, size_t size) __asm__("prefixed___libc_realloc");
extern void __libc_free(void *ptr) __asm__("prefixed___libc_free");
extern void *__libc_memalign(size_t alignment, size_t size) __asm__("prefixed___libc_memalign");
extern void *__libc_valloc(size_t size) __asm__("prefixed___libc_valloc");
extern void *__libc_pvalloc(size_t size) __asm__("prefixed___libc_pvalloc");
extern void cfree(void *ptr) __asm__("prefixed_cfree");
extern void free_sized(void *ptr, size_t size) __asm__("prefixed_free_sized");
extern void free_aligned_sized(void *ptr, size_t alignment, size_t size) __asm__("prefixed_free_aligned_sized");

#endif
