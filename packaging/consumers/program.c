/* SPDX-License-Identifier: MIT */
/* A program of somebody who has installed copse: every kind of call once.  Prints the library's version. */
#include <copse.h>
#ifdef CONSUMER_INLINE
#include <copse-inline.h>
#define take copse_inline_alloc
#define give copse_inline_free
#else
#define take copse_alloc
#define give copse_free
#endif
#include <stdio.h>
#include <string.h>

int main(void) {
  void *many[1000];
  for (int i = 0; i < 1000; i++) {
    if (!(many[i] = take(100))) return 1;
    memset(many[i], i, 100);
  }
  for (int i = 0; i < 1000; i++) give(many[i], 100);
  char *large = copse_alloc_zeroed(3000000);
  if (!large || large[2999999]) return 1;
  copse_free_unsized(large);
  copse_trim();
  struct copse_stats stats;
  copse_stats(&stats);
  if (stats.threads != 1) return 1;
  puts(copse_version());
  return 0;
}
