/* SPDX-License-Identifier: MIT */
/* What copse-map's files share: a snapshot of copse_heap_write in memory, by size class, and the cells that are drawn of it. */
#ifndef COPSE_MAP_H
#define COPSE_MAP_H

#include "copse.h"
#include <stdbool.h>
#include <stdio.h>

/* Spans are the last group: a block of one slot each. */
enum { SPANS = COPSE_CLASSES, GROUPS = COPSE_CLASSES + 1 };

/* Some blocks, added up, in slots; free has bare in it. */
struct tally {
  size_t blocks;
  uint64_t slots, used, free, bare;
  uint64_t bytes, used_bytes, bare_bytes;
};

struct map {
  uint64_t page;
  struct copse_block *blocks; /* by group, in it by arena and address */
  size_t count;
  size_t first[GROUPS + 1];   /* of a group's blocks; the next one's is its end */
};

/* What is wrong with a snapshot, and in which line; line 0: nothing that a line says. */
struct fault {
  unsigned long line;
  const char *what;
};

/* ---- map_read.c ---- */
/* false: it is not one, or not whole, and `fault` says why.  `blocks` is the caller's to free in either case. */
bool map_read(FILE *file, struct map *map, struct fault *fault);

/* ---- map_cell.c ---- */
static inline size_t group_count(const struct map *map, unsigned group) { return map->first[group + 1] - map->first[group]; }
struct tally map_tally(const struct map *map, size_t first, size_t count);
/* How many blocks a cell stands for, so that there are at most `bound` cells and one more for each group. */
size_t map_gather(const struct map *map, size_t bound);

/* By how much of it is in use; of what nothing is, whether it has pages. */
enum shade { BARE, FREE, LEAST, LESS, MORE, MOST, FULL, SHADES };
enum shade map_shade(const struct tally *cell);
extern const char *const map_shade_text[SHADES];
/* Rounded down, so that 100 is all. */
unsigned map_percent(uint64_t part, uint64_t whole);
/* "96 B", "4 KB": exactly where that is possible. */
const char *map_bytes(uint64_t bytes, char text[static 24]);

/* ---- map_svg.c, map_terminal.c ---- */
void map_svg(const struct map *map, FILE *out);
void map_terminal(const struct map *map, FILE *out, unsigned columns, bool colours);

#endif
