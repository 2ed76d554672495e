/* SPDX-License-Identifier: MIT */
/*
 * See sim_clock.h.  Nothing here allocates from the simulation's allocator.
 */
#include "sim_clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The number behind `key` at a line's start. */
static uint64_t read_key(const char *path, const char *key) {
  char text[4096];
  size_t length = 0;
  ssize_t got;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  while (length < sizeof text - 1 && (got = read(file, text + length, sizeof text - 1 - length)) > 0)
    length += (size_t)got;
  close(file);
  text[length] = 0;
  for (const char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (!strncmp(line, key, strlen(key))) return strtoull(line + strlen(key), NULL, 10);
  }
  return 0;
}

uint64_t resident_now(void) {
  /* Exact; the counter in status may lag behind by some pages a thread. */
  uint64_t exact = read_key("/proc/self/smaps_rollup", "Rss:");
  return exact ? exact : read_key("/proc/self/status", "VmRSS:");
}

uint64_t resident_peak(void) { return read_key("/proc/self/status", "VmHWM:"); }

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint64_t rank(const uint64_t *sorted, size_t n, uint64_t per_mille) {
  size_t at = (size_t)((n * per_mille + 999) / 1000);
  return sorted[at ? at - 1 : 0];
}

struct percentiles percentiles_of(uint64_t *samples, size_t n) {
  qsort(samples, n, sizeof *samples, by_value);
  return (struct percentiles){rank(samples, n, 500), rank(samples, n, 990), rank(samples, n, 999), samples[n - 1]};
}
