/* SPDX-License-Identifier: MIT */
/* Blocks gathered to cells, and what is said of a cell. */
#include "map.h"

const char *const map_shade_text[SHADES] = {"no pages", "free", "used: to 25 %", "to 50 %", "to 75 %", "to 99 %", "all"};

struct tally map_tally(const struct map *map, size_t first, size_t count) {
  struct tally t = {.blocks = count};
  for (const struct copse_block *b = map->blocks + first; b < map->blocks + first + count; b++) {
    uint64_t free = (uint64_t)__builtin_popcountll(b->free), bare = (uint64_t)__builtin_popcountll(b->bare);
    t.slots += b->slots;
    t.used += b->slots - free;
    t.free += free;
    t.bare += bare;
    t.bytes += b->slots * b->size;
    t.used_bytes += (b->slots - free) * b->size;
    t.bare_bytes += bare * b->size;
  }
  return t;
}

size_t map_gather(const struct map *map, size_t bound) {
  size_t gather = 1;
  while (map->count / gather > bound) gather *= 2;
  return gather;
}

enum shade map_shade(const struct tally *cell) {
  if (!cell->used) return cell->bare == cell->free ? BARE : FREE;
  if (!cell->free) return FULL;
  return (enum shade)(LEAST + (4 * cell->used - 1) / cell->slots);
}

unsigned map_percent(uint64_t part, uint64_t whole) { return whole ? (unsigned)((double)part / (double)whole * 100) : 0; }

const char *map_bytes(uint64_t bytes, char text[static 24]) {
  static const char *const unit[] = {"B", "KB", "MB", "GB", "TB"};
  unsigned i = 0;
  for (; i < 4 && bytes >= 1024 && bytes % 1024 == 0; i++) bytes /= 1024;
  double rest = (double)bytes;
  for (; i < 4 && rest >= 10000; i++) rest /= 1024;
  snprintf(text, 24, rest == (double)(uint64_t)rest ? "%.0f %s" : "%.1f %s", rest, unit[i]);
  return text;
}
