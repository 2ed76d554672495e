/* SPDX-License-Identifier: MIT */
/* Nothing here allocates between the snapshot and the statistics, so that they are of one moment. */
#include "sim_map.h"
#include "copse.h"
#include "sim_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WALKS = 100 };

static struct {
  bool taken;
  uint64_t blocks, used, write; /* write: nanoseconds */
  struct percentiles walk;
  struct copse_stats stats;
} map;

/* About what a program would do that draws it by itself. */
static int add(const struct copse_block *blocks, size_t n, void *context) {
  uint64_t *used = context;
  map.blocks += n;
  for (size_t i = 0; i < n; i++) *used += blocks[i].slots - (uint64_t)__builtin_popcountll(blocks[i].free);
  return 0;
}

void sim_map_write(const char *name) {
  static uint64_t times[WALKS];
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  uint64_t begin = clock_now();
  if (fd < 0 || copse_heap_write(fd) || close(fd)) {
    fprintf(stderr, "simulation: %s: %s\n", name, strerror(errno));
    exit(1);
  }
  map.write = clock_now() - begin;
  copse_stats(&map.stats);
  for (unsigned i = 0; i < WALKS; i++) {
    map.blocks = map.used = 0;
    begin = clock_now();
    copse_heap_walk(add, &map.used);
    times[i] = clock_now() - begin;
  }
  map.walk = percentiles_of(times, WALKS);
  map.taken = true;
}

void sim_map_report(bool table) {
  if (!map.taken) return;
  const char *number = table ? "%-36s %16" PRIu64 "\n" : "%s=%" PRIu64 "\n";
  const char *time = table ? "%-36s %16.1f us\n" : "%s=%.1f\n";
  printf(number, table ? "map: blocks and spans" : "map_blocks", map.blocks);
  printf(time, table ? "map: a walk, p50" : "map_walk_us", (double)map.walk.p50 * 1e-3);
  printf(time, table ? "map: writing it" : "map_write_us", (double)map.write * 1e-3);
  if (table) return;
  printf("map_spans=%" PRIu64 "\n", map.stats.spans);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &map.stats.classes[class];
    if (c->blocks)
      printf("map_class_%u=size %" PRIu64 " blocks %" PRIu64 " free %" PRIu64 " bare %" PRIu64 "\n", class, c->size, c->blocks, c->free,
             c->bare);
  }
}
