/* SPDX-License-Identifier: MIT */
/*
 * SVG: a row group for each class that has blocks, one rect for each cell, with a title for those who point at it.
 * What is drawn can be added up: data-blocks, data-slots, data-used, data-free and data-bare of the rects are those of their group.
 */
#include "map.h"
#include <inttypes.h>

#define N "%" PRIu64

/* Pixels. */
enum { MARGIN = 20, LABEL = 340, PITCH = 10, CELL = 9, COLUMNS = 80, HEAD = 100, GROUP_LEAST = 34, GROUP_GAP = 12 };
/* Rects of blocks, beyond which they are gathered: what a browser still shows at once. */
enum { CELLS_MOST = 20000 };

/* By shade: of a light page, and of a dark one. */
static const char *const light[SHADES] = {"#dcdcdc", "#f2a33a", "#c3ddf2", "#8fc1e6", "#5a9fd4", "#2874b8", "#0b3f7d"};
static const char *const dark[SHADES] = {"#3a3a3a", "#d98a1f", "#173a5c", "#1f5a8f", "#3b82c0", "#74b0e3", "#c4e2fb"};

static void put_style(FILE *out) {
  fputs("<style>\nsvg { background: #ffffff }\ntext { font: 13px system-ui, sans-serif; fill: #1a1a1a }\n"
        ".title { font-size: 18px; font-weight: bold }\n.size { font-weight: bold }\n.small { font-size: 11px; fill: #555555 }\n",
        out);
  for (unsigned shade = 0; shade < SHADES; shade++) fprintf(out, ".s%u { fill: %s }\n", shade, light[shade]);
  fputs("@media (prefers-color-scheme: dark) {\nsvg { background: #141414 }\ntext { fill: #eeeeee }\n.small { fill: #aaaaaa }\n", out);
  for (unsigned shade = 0; shade < SHADES; shade++) fprintf(out, ".s%u { fill: %s }\n", shade, dark[shade]);
  fputs("}\n</style>\n", out);
}

static unsigned rows(size_t count, size_t gather) { return (unsigned)(((count + gather - 1) / gather + COLUMNS - 1) / COLUMNS); }

static unsigned height(size_t count, size_t gather) {
  unsigned cells = rows(count, gather) * PITCH;
  return (cells > GROUP_LEAST ? cells : GROUP_LEAST) + GROUP_GAP;
}

static void put_data(FILE *out, const struct tally *t) {
  fprintf(out, " data-blocks=\"%zu\" data-slots=\"" N "\" data-used=\"" N "\" data-free=\"" N "\" data-bare=\"" N "\"", t->blocks,
          t->slots, t->used, t->free, t->bare);
}

static void put_cell(FILE *out, const struct map *map, unsigned group, size_t first, size_t count, unsigned x, unsigned y) {
  const struct copse_block *block = &map->blocks[first];
  struct tally cell = map_tally(map, first, count);
  char size[24];
  fprintf(out, "<rect class=\"s%u\" x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\"", map_shade(&cell), x, y, CELL, CELL);
  put_data(out, &cell);
  fputs("><title>", out);
  if (count > 1) fprintf(out, "%zu %s from ", count, group == SPANS ? "spans" : "blocks");
  fprintf(out, "0x%" PRIxPTR, (uintptr_t)block->address);
  if (group == SPANS) {
    fprintf(out, ", %s%s", map_bytes(cell.bytes, size), cell.used ? "" : ", cached");
  } else {
    fprintf(out, ", arena %u: " N " of " N " slots in use, " N " free, " N " of them without pages", block->arena, cell.used,
            cell.slots, cell.free, cell.bare);
  }
  fputs("</title></rect>\n", out);
}

/* Returns how far down it came. */
static unsigned put_group(FILE *out, const struct map *map, unsigned group, size_t gather, unsigned y) {
  size_t first = map->first[group], count = group_count(map, group);
  struct tally all = map_tally(map, first, count);
  char size[24], used[24];
  if (group == SPANS) {
    fputs("<g class=\"group\" data-class=\"spans\"", out);
    snprintf(size, sizeof size, "spans");
  } else {
    fprintf(out, "<g class=\"group\" data-class=\"%u\" data-size=\"" N "\"", group, map->blocks[first].size);
    map_bytes(map->blocks[first].size, size);
  }
  put_data(out, &all);
  fprintf(out, ">\n<text class=\"size\" x=\"%d\" y=\"%u\">%s</text>\n", MARGIN, y + 12, size);
  fprintf(out, "<text class=\"small\" x=\"%d\" y=\"%u\">", MARGIN, y + 28);
  if (group == SPANS) {
    fprintf(out, "%zu, of which " N " in use: %s</text>\n", count, all.used, map_bytes(all.used_bytes, used));
  } else {
    fprintf(out, "%zu block%s, " N " of " N " slots in use: %u %%</text>\n", count, count == 1 ? "" : "s", all.used, all.slots,
            map_percent(all.used, all.slots));
  }
  for (size_t i = 0, cell = 0; i < count; i += gather, cell++)
    put_cell(out, map, group, first + i, count - i < gather ? count - i : gather, (unsigned)(LABEL + cell % COLUMNS * PITCH),
             (unsigned)(y + cell / COLUMNS * PITCH));
  fputs("</g>\n", out);
  return y + height(count, gather);
}

static void put_head(FILE *out, const struct map *map, size_t gather) {
  struct tally all = map_tally(map, 0, map->count);
  char used[24], free[24], bare[24];
  fprintf(out, "<text class=\"title\" x=\"%d\" y=\"32\">copse: what is where</text>\n", MARGIN);
  fprintf(out, "<text x=\"%d\" y=\"56\">%s in use, %s free, and %s more without pages; ", MARGIN, map_bytes(all.used_bytes, used),
          map_bytes(all.bytes - all.used_bytes - all.bare_bytes, free), map_bytes(all.bare_bytes, bare));
  if (gather == 1) fputs("a square is a block of 64 slots, or a span</text>\n", out);
  else fprintf(out, "a square is %zu blocks of 64 slots, or as many spans</text>\n", gather);
  fputs("<g class=\"legend\">\n", out);
  unsigned x = MARGIN;
  for (unsigned shade = 0; shade < SHADES; shade++) {
    fprintf(out, "<rect class=\"s%u\" x=\"%u\" y=\"70\" width=\"12\" height=\"12\"/><text class=\"small\" x=\"%u\" y=\"80\">%s</text>\n", shade,
            x, x + 17, map_shade_text[shade]);
    x += 105;
  }
  fputs("</g>\n", out);
}

void map_svg(const struct map *map, FILE *out) {
  size_t gather = map_gather(map, CELLS_MOST), spans = group_count(map, SPANS);
  unsigned y = HEAD, width = LABEL + COLUMNS * PITCH + MARGIN, bottom = HEAD + MARGIN;
  for (unsigned group = 0; group < GROUPS; group++)
    if (group_count(map, group)) bottom += height(group_count(map, group), gather);
  fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" shape-rendering=\"crispEdges\" "
               "data-page=\"" N "\" data-blocks=\"%zu\" data-spans=\"%zu\" data-gather=\"%zu\">\n<title>copse: what is where</title>\n",
          width, bottom, width, bottom, map->page, map->count - spans, spans, gather);
  put_style(out);
  put_head(out, map, gather);
  for (unsigned group = 0; group < GROUPS; group++)
    if (group_count(map, group)) y = put_group(out, map, group, gather, y);
  fputs("</svg>\n", out);
}
