/* SPDX-License-Identifier: MIT */
/* How much memory is resident: of the process, and of a range. */
#ifndef COPSE_TESTS_RESIDENT_H
#define COPSE_TESTS_RESIDENT_H

#include "process.h"
#include <fcntl.h>
#include <sys/mman.h>

/* Bytes of the process.  Allocates nothing. */
static inline size_t resident(void) {
  char text[128] = {0};
  int file = open("/proc/self/statm", O_RDONLY);
  CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0);
  close(file);
  char *at = text;
  strtoul(at, &at, 10);
  return strtoul(at, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Bytes of the whole pages inside [from, to). */
static inline size_t resident_in(const void *from, const void *to) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = 0;
  uintptr_t low = ((uintptr_t)from + page - 1) & ~(page - 1), high = (uintptr_t)to & ~(page - 1);
  unsigned char map[4096];
  while (low < high) {
    size_t pages = (high - low) / page;
    if (pages > sizeof map) pages = sizeof map;
    CHECK(mincore((void *)low, pages * page, map) == 0);
    for (size_t i = 0; i < pages; i++) bytes += (map[i] & 1) * page;
    low += pages * page;
  }
  return bytes;
}

#endif
