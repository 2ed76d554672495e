/* SPDX-License-Identifier: MIT */
/*
 * A program with a malloc of its own, of no more than the C library asks for: malloc, calloc, realloc and free.  With a drop-in
 * beside it all that the C library makes of these four stays its own.
 *
 * The malloc is the simplest there is: cut off in order, never used twice.  So cmocka is not here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) char heap[1 << 20];
static size_t used;

void *malloc(size_t size) {
  size_t bytes = (size + 15) / 16 * 16 + 16;
  if (size > sizeof heap || bytes > sizeof heap - used) return NULL;
  char *p = heap + used + 16;
  used += bytes;
  memcpy(p - 16, &size, sizeof size);
  return p;
}

void free(void *ptr) { (void)ptr; }

void *calloc(size_t count, size_t size) {
  void *p = size && count > sizeof heap / size ? NULL : malloc(count * size);
  return p ? memset(p, 0, count * size) : NULL;
}

void *realloc(void *ptr, size_t size) {
  size_t old = 0;
  void *p = malloc(size);
  if (p && ptr) {
    memcpy(&old, (char *)ptr - 16, sizeof old);
    memcpy(p, ptr, old < size ? old : size);
  }
  return p;
}

static int failed, tests;

static void check(int right, const char *what) {
  printf("%s %d - %s\n", right ? "ok" : "not ok", ++tests, what);
  failed |= !right;
}

static int is_mine(const void *p) { return (const char *)p > heap && (const char *)p < heap + used; }

int main(void) {
  char *p = malloc(6), *line = NULL;
  size_t room = 0;
  volatile size_t half = (size_t)1 << 33;
  if (!p) return 1;
  strcpy(p, "birch");
  p = reallocarray(p, 100, 20);
  check(p && is_mine(p) && !strcmp(p, "birch"), "reallocarray gives what realloc does");
  check(!reallocarray(p, half, half), "and refuses a product that overflows");
  free(p);
  p = strdup("alder");
  check(p && is_mine(p), "strdup's is of the program's malloc");
  free(p);
  FILE *file = tmpfile();
  check(file && fputs("a line\n", file) >= 0 && !fseek(file, 0, SEEK_SET) && getline(&line, &room, file) == 7 && is_mine(line),
        "and so is getline's");
  free(line);
  printf("1..%d\n", tests);
  return failed;
}
