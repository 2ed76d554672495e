/* SPDX-License-Identifier: MIT */
/*
 * A drop-in that is wrong on purpose, for self-test.sh: would the other scripts notice?  COPSE_FAULT says in which way:
 *
 *   none        not at all: the control
 *   overlap     now and then hands out memory that is in use
 *   truncate    now and then realloc forgets the latter half
 *   flip        realloc turns a bit in the middle of a long text: a program lives, and its output is wrong
 *   dirty       now and then calloc forgets to clear
 *   misaligned  malloc's result is aligned to 8 bytes, not to 16
 *
 * It stands on glibc's own functions, and says at exit that it is copse.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void __libc_free(void *ptr);

static enum { NONE, OVERLAP, TRUNCATE, FLIP, DIRTY, MISALIGNED } fault;
static unsigned mallocs, reallocs, callocs;
static void *volatile shared; /* with overlap: given out more than once, and never freed */
static size_t shared_size;

__attribute__((constructor)) static void start(void) {
  static const char *const name[] = {"none", "overlap", "truncate", "flip", "dirty", "misaligned"};
  const char *wanted = getenv("COPSE_FAULT");
  for (unsigned i = 0; wanted && i < sizeof name / sizeof *name; i++) {
    if (!strcmp(wanted, name[i])) fault = i;
  }
}

__attribute__((destructor)) static void end(void) {
  const char *fd = getenv("COPSE_SHOW_STATS");
  if (fd) dprintf(atoi(fd), "%s[%d]: copse broken, memory at exit:\n", program_invocation_short_name, (int)getpid());
}

/* What malloc made crooked is known by its address: the rest is aligned to 16. */
static int crooked(void *ptr) { return ((uintptr_t)ptr & 15) == 8; }
static void *straight(void *ptr) { return crooked(ptr) ? (char *)ptr - 8 : ptr; }

static size_t room(void *ptr) {
  size_t size = ((size_t *)straight(ptr))[-1];
  return (size & ~(size_t)7) - (size & 2 ? 16 : 8) - (crooked(ptr) ? 8 : 0);
}

void *malloc(size_t size) {
  if (fault == MISALIGNED) {
    void *ptr = __libc_malloc(size + 8);
    return ptr ? (char *)ptr + 8 : NULL;
  }
  if (fault == OVERLAP && ++mallocs % 500 == 0) {
    if (shared && size <= shared_size) return shared;
    shared_size = size;
    return shared = __libc_malloc(size);
  }
  return __libc_malloc(size);
}

void free(void *ptr) {
  if (!ptr || (fault == OVERLAP && ptr == shared)) return;
  __libc_free(straight(ptr));
}

void *calloc(size_t count, size_t size) {
  void *ptr = __libc_calloc(count, size);
  if (fault == DIRTY && ptr && ++callocs % 100 == 0) memset(ptr, 0xA5, count * size);
  return ptr;
}

/* Not pointers, in any case. */
static int is_text(const char *at) {
  for (int i = 0; i < 16; i++) {
    if (at[i] < ' ' || at[i] > '~') return 0;
  }
  return 1;
}

void *realloc(void *ptr, size_t size) {
  if (fault == NONE || fault == DIRTY || !ptr || !size) return __libc_realloc(straight(ptr), size);
  size_t keep = room(ptr) < size ? room(ptr) : size;
  void *fresh = malloc(size);
  if (!fresh) return NULL;
  if (fault == TRUNCATE && ++reallocs % 50 == 0) keep /= 2;
  memcpy(fresh, ptr, keep);
  if (fault == FLIP && keep > 5000 && is_text((char *)fresh + keep / 2)) ((char *)fresh)[keep / 2] ^= 1;
  free(ptr);
  return fresh;
}

size_t malloc_usable_size(void *ptr) { return ptr ? room(ptr) : 0; }
