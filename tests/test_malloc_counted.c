/* SPDX-License-Identifier: MIT */
/*
 * A program that counts what it allocates: its malloc, calloc, realloc and free call the C library's by the other names that glibc
 * has for them, and the rest of the family it has none of.  With a drop-in beside it both are one allocator.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* weak: another C library has no such names, and then the drop-in's are meant. */
#define GLIBC __attribute__((weak)) extern
GLIBC void *__libc_malloc(size_t size);
GLIBC void *__libc_calloc(size_t count, size_t size);
GLIBC void *__libc_realloc(void *ptr, size_t size);
GLIBC void __libc_free(void *ptr);
GLIBC void *__libc_memalign(size_t alignment, size_t size);
GLIBC void *__libc_valloc(size_t size);
GLIBC void *__libc_pvalloc(size_t size);

static unsigned long allocated, freed;

static void *counted(void *ptr) {
  if (ptr) allocated++;
  return ptr;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *realloc(void *ptr, size_t size) { return ptr ? __libc_realloc(ptr, size) : malloc(size); }
void free(void *ptr) {
  if (ptr) freed++;
  __libc_free(ptr);
}

static int failed, tests;

static void check(int right, const char *what) {
  printf("%s %d - %s\n", right ? "ok" : "not ok", ++tests, what);
  failed |= !right;
}

/* Of anything: grows, and is freed. */
static int lives(char *p, size_t size) {
  if (!p) return 0;
  memset(p, 1, size);
  if (malloc_usable_size(p) < size) return 0;
  p = realloc(p, 3 * size);
  if (!p || p[size - 1] != 1) return 0;
  free(p);
  return 1;
}

int main(void) {
  void *p = NULL;
  check(lives(malloc(1000), 1000) && lives(calloc(10, 100), 1000), "its own");
  check(allocated >= 2 && freed >= 2, "which count");
  check(!posix_memalign(&p, 64, 1000) && lives(p, 1000), "posix_memalign");
  check(lives(aligned_alloc(256, 2000000), 2000000), "aligned_alloc");
  check(lives(memalign(64, 100), 100) && lives(valloc(5000), 5000), "memalign and valloc");
  check(lives(__libc_memalign(64, 100), 100) && lives(__libc_valloc(5000), 5000) && lives(__libc_pvalloc(1), 4096), "by their other names");
  check(lives(strdup("alder"), 6), "strdup");
  check(!__libc_calloc((size_t)1 << 33, (size_t)1 << 33), "a product that overflows");
  printf("1..%d\n", tests);
  return failed;
}
