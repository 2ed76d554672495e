/* SPDX-License-Identifier: MIT */
/*
 * What <malloc.h> of glibc declares, where the C library has another (musl): the drop-in exports the same names with each.
 */
#ifndef COPSE_MALLOC_WORDS_H
#define COPSE_MALLOC_WORDS_H

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

#ifndef M_MXFAST
enum {
  M_ARENA_MAX = -8,
  M_ARENA_TEST = -7,
  M_PERTURB = -6,
  M_CHECK_ACTION = -5,
  M_MMAP_MAX = -4,
  M_MMAP_THRESHOLD = -3,
  M_TOP_PAD = -2,
  M_TRIM_THRESHOLD = -1,
  M_MXFAST = 1
};
struct mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
void *pvalloc(size_t size);
int malloc_trim(size_t pad);
int mallopt(int parameter, int value);
struct mallinfo mallinfo(void);
struct mallinfo2 mallinfo2(void);
int malloc_info(int options, FILE *file);
void malloc_stats(void);
#endif

#endif
