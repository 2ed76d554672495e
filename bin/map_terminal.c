/* SPDX-License-Identifier: MIT */
/* A line for each class that has blocks, of as many cells as there is room for. */
#include "map.h"

/* Of the 256 colours; and without colours. */
static const unsigned char colour[SHADES] = {240, 214, 195, 153, 111, 69, 27};
static const char letter[SHADES] = {'_', '.', '-', '+', '*', '%', '#'};
enum { LABEL = 33 };

static void put_cell(FILE *out, enum shade shade, bool colours) {
  if (colours) fprintf(out, "\033[48;5;%um ", colour[shade]);
  else putc(letter[shade], out);
}

static void put_group(const struct map *map, FILE *out, unsigned group, unsigned room, bool colours) {
  char size[24], gathered[24] = "";
  size_t first = map->first[group], count = group_count(map, group), gather = (count + room - 1) / room;
  struct tally all = map_tally(map, first, count);
  if (gather > 1) snprintf(gathered, sizeof gathered, "x%zu", gather);
  fprintf(out, "%9s %8zu %6s %3u %%  ", group == SPANS ? "spans" : map_bytes(map->blocks[first].size, size), count, gathered,
          map_percent(all.used_bytes, all.bytes));
  for (size_t i = 0; i < count; i += gather) {
    struct tally cell = map_tally(map, first + i, count - i < gather ? count - i : gather);
    put_cell(out, map_shade(&cell), colours);
  }
  fputs(colours ? "\033[0m\n" : "\n", out);
}

void map_terminal(const struct map *map, FILE *out, unsigned columns, bool colours) {
  unsigned room = columns > LABEL + 8 ? columns - LABEL : 8;
  fprintf(out, "%9s %8s %6s %5s  one cell a block, or as many as it says\n", "size", "blocks", "a cell", "used");
  for (unsigned group = 0; group < GROUPS; group++)
    if (group_count(map, group)) put_group(map, out, group, room, colours);
  for (unsigned shade = 0; shade < SHADES; shade++) {
    if (shade) fputs("  ", out);
    put_cell(out, shade, colours);
    fprintf(out, "%s %s", colours ? "\033[0m" : "", map_shade_text[shade]);
  }
  putc('\n', out);
}
