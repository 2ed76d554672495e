/* SPDX-License-Identifier: MIT */
/* Reads what copse_heap_write wrote; copse_heap_write(3) has the format.  Whatever is not exactly that is refused. */
#include "map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A line, its newline and a NUL; the longest that is written is below 90 bytes. */
enum { LINE = 160 };

struct reader {
  FILE *file;
  struct map *map;
  struct fault *fault;
  size_t room;
  uint64_t blocks, spans;
  uint64_t order; /* of the pool of the last block: arena, then class */
  uint64_t end;   /* of the last block, or span */
};

static bool wrong(struct reader *r, const char *what) {
  r->fault->what = what;
  return false;
}

/* A space and a number in hexadecimal, as short as can be. */
static bool number(const char **at, uint64_t *value) {
  static const char digits[] = "0123456789abcdef";
  const char *from = *at + 1, *to = from;
  if (**at != ' ') return false;
  *value = 0;
  for (const char *digit; *to && (digit = strchr(digits, *to)); to++) *value = *value << 4 | (uint64_t)(digit - digits);
  *at = to;
  return to > from && to - from <= 16 && (*from != '0' || to - from == 1);
}

/* Exactly `n` numbers behind the word. */
static bool numbers(const char *line, const char *word, unsigned n, uint64_t values[]) {
  size_t length = strlen(word);
  if (strncmp(line, word, length) != 0) return false;
  line += length;
  while (n--)
    if (!number(&line, values++)) return false;
  return !*line;
}

/* false: there is none, or it is no line. */
static bool next_line(struct reader *r, char line[LINE]) {
  r->fault->line++;
  memset(line, 0, LINE);
  if (!fgets(line, LINE, r->file)) {
    r->fault->line = 0;
    return wrong(r, ferror(r->file) ? strerror(errno) : "the end is missing");
  }
  size_t length = strlen(line);
  if (!length || line[length - 1] != '\n') return wrong(r, feof(r->file) ? "the end of the line is missing" : "no line of a snapshot");
  line[length - 1] = 0;
  return true;
}

static bool append(struct reader *r, const struct copse_block *block) {
  struct map *map = r->map;
  if (map->count == r->room) {
    size_t room = r->room ? 2 * r->room : 1024;
    struct copse_block *moved = realloc(map->blocks, room * sizeof *moved);
    if (!moved) return wrong(r, "no memory");
    map->blocks = moved;
    r->room = room;
  }
  map->blocks[map->count++] = *block;
  r->end = (uintptr_t)block->address + block->size * block->slots;
  return true;
}

static bool take_block(struct reader *r, const uint64_t v[7]) {
  uint64_t class = v[0], arena = v[1], address = v[2], size = v[3], slots = v[4], free = v[5], bare = v[6], bytes;
  uint64_t order = (arena << 16 | class) + 1;
  if (class >= COPSE_CLASSES || arena > UINT16_MAX) return wrong(r, "no such class, or arena");
  if (!size || size > COPSE_CLASS_SIZE_MAX) return wrong(r, "no size of a class");
  if (!slots || slots > 64) return wrong(r, "no number of slots");
  if (slots < 64 && free >> slots) return wrong(r, "a slot that does not exist is free");
  if (bare & ~free) return wrong(r, "a slot is bare that is not free");
  bytes = size * slots;
  if (!address || address + bytes < address) return wrong(r, "no address of a block");
  if (r->spans) return wrong(r, "a block behind the spans");
  if (order < r->order || (order == r->order && address < r->end)) return wrong(r, "a block out of order");
  r->order = order;
  r->blocks++;
  return append(r, &(struct copse_block){(const void *)(uintptr_t)address, size, free, bare, (uint32_t)slots, (uint16_t)class,
                                         (uint16_t)arena});
}

static bool take_span(struct reader *r, const uint64_t v[3]) {
  uint64_t address = v[0], bytes = v[1], cached = v[2];
  if (!address || !bytes || address + bytes < address) return wrong(r, "no address or length of a span");
  if (cached > 1) return wrong(r, "neither cached nor not");
  if (r->spans && address < r->end) return wrong(r, "a span out of order");
  r->spans++;
  return append(r, &(struct copse_block){(const void *)(uintptr_t)address, bytes, cached, 0, 1, COPSE_CLASSES, 0});
}

static bool read_lines(struct reader *r) {
  char line[LINE];
  uint64_t v[7];
  if (!next_line(r, line)) return false;
  if (strncmp(line, "copse-heap ", 11) != 0) return wrong(r, "not a snapshot of copse_heap_write");
  if (strncmp(line, "copse-heap 1 ", 13) != 0) return wrong(r, "a snapshot of another version");
  if (!numbers(line, "copse-heap 1", 1, v) || !v[0] || v[0] & (v[0] - 1)) return wrong(r, "no size of a page");
  r->map->page = v[0];
  for (;;) {
    if (!next_line(r, line)) return false;
    if (numbers(line, "block", 7, v)) {
      if (!take_block(r, v)) return false;
    } else if (numbers(line, "span", 3, v)) {
      if (!take_span(r, v)) return false;
    } else if (numbers(line, "end", 2, v)) {
      break;
    } else {
      return wrong(r, "no line of a snapshot");
    }
  }
  if (v[0] != r->blocks || v[1] != r->spans) return wrong(r, "lines are missing, or too many");
  r->fault->line++;
  return fgetc(r->file) == EOF || wrong(r, "something behind the end");
}

/* From the order of the walk, arena by arena, to class by class; each class has one size. */
static bool arrange(struct reader *r) {
  struct map *map = r->map;
  size_t at[GROUPS];
  uint64_t size[GROUPS] = {0};
  struct copse_block *sorted = malloc((map->count + 1) * sizeof *sorted);
  r->fault->line = 0;
  if (!sorted) return wrong(r, "no memory");
  for (size_t i = 0; i < map->count; i++) map->first[map->blocks[i].size_class + 1]++;
  for (unsigned group = 0; group < GROUPS; group++) {
    map->first[group + 1] += map->first[group];
    at[group] = map->first[group];
  }
  bool same = true;
  for (size_t i = 0; i < map->count; i++) {
    const struct copse_block *block = &map->blocks[i];
    unsigned group = block->size_class;
    if (group != SPANS && size[group] && size[group] != block->size) same = false;
    size[group] = block->size;
    sorted[at[group]++] = *block;
  }
  free(map->blocks);
  map->blocks = sorted;
  return same || wrong(r, "a class of two sizes");
}

bool map_read(FILE *file, struct map *map, struct fault *fault) {
  struct reader r = {.file = file, .map = map, .fault = fault};
  memset(map, 0, sizeof *map);
  *fault = (struct fault){0, NULL};
  return read_lines(&r) && arrange(&r);
}
