/* SPDX-License-Identifier: MIT */
/*
 * What a mode of copse costs: nanoseconds a pair of allocation and free, and memory for what is live.  Linked with
 * either library, and compiled with a tool or none, by bench/instrumented-cost.sh.
 */
#include <copse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 256, LIVE = 200000 };

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Bytes resident: the tool's shadow counts. */
static double resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*s %ld", &pages) != 1) exit(1);
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Replaces the oldest of a window, which is touched at its first byte: what a program does at least. */
static double pair(size_t size, unsigned rounds) {
  static char *window[WINDOW];
  for (unsigned i = 0; i < WINDOW; i++) window[i] = copse_alloc(size);
  uint64_t from = now();
  for (unsigned i = 0; i < rounds; i++) {
    char **at = &window[i % WINDOW];
    copse_free(*at, size);
    *at = copse_alloc(size);
    if (!*at) exit(1);
    **at = 1;
  }
  double spent = (double)(now() - from) / rounds;
  for (unsigned i = 0; i < WINDOW; i++) copse_free(window[i], size);
  return spent;
}

int main(int argc, char **argv) {
  unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
  double best[2] = {1e30, 1e30};
  for (unsigned i = 0; i < 5; i++) {
    double small = pair(64, rounds), large = pair(4000, rounds / 8 + 1);
    if (small < best[0]) best[0] = small;
    if (large < best[1]) best[1] = large;
  }
  char **live = malloc(LIVE * sizeof *live);
  if (!live) return 1;
  memset(live, 0, LIVE * sizeof *live);
  double before = resident();
  for (unsigned i = 0; i < LIVE; i++) {
    live[i] = copse_alloc(64);
    if (!live[i]) return 1;
    memset(live[i], 1, 64);
  }
  double each = (resident() - before) / LIVE;
  for (unsigned i = 0; i < LIVE; i++) copse_free(live[i], 64);
  free(live);
  printf("%8.1f %8.1f %8.0f\n", best[0], best[1], each);
  return 0;
}
