/* SPDX-License-Identifier: MIT */
#include "api_figures.h"
#include "copse.h"
#include "expect.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- JSON ---- */

/* The fields of the two structs, all of them numbers of 64 bits, in their order. */
static const char *const names[] = {
  "page_size", "reserved", "arenas", "committed", "in_use", "metadata", "spans", "span_bytes", "span_cached", "threads", "generation",
  "refills", "flushes", "pops", "pushes", "system_calls", "decommitted", "huge_1g", "huge_2m", "huge_advised", "huge_1g_fallbacks",
  "huge_2m_fallbacks",
};
static const char *const class_names[] = {
  "size", "blocks", "cached", "free", "detached", "uncommitted", "bare", "quarantined", "lost", "locked",
};
enum { NAMES = sizeof names / sizeof *names, CLASS_NAMES = sizeof class_names / sizeof *class_names };
_Static_assert(sizeof(struct copse_stats) == 8 * (NAMES + COPSE_CLASSES * CLASS_NAMES), "each field has its name");

static char *object(char *at, const char *const fields[], const uint64_t *numbers, size_t n) {
  for (size_t i = 0; i < n; i++) at += sprintf(at, "%s\"%s\": %llu", i ? ", " : "{", fields[i], (unsigned long long)numbers[i]);
  return at;
}

static void stats_as_text(char *at) {
  static struct copse_stats stats;
  copse_stats(&stats);
  at = object(at, names, (const uint64_t *)(const void *)&stats, NAMES);
  at = stpcpy(at, ", \"classes\": [");
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    at = object(stpcpy(at, class ? ", " : ""), class_names, (const uint64_t *)(const void *)&stats.classes[class], CLASS_NAMES);
    at = stpcpy(at, "}");
  }
  stpcpy(at, "]}");
}

void api_json(const struct model *m, const struct op *op) {
  static __thread char whole[32768];
  char part[256];
  size_t length = copse_stats_json(whole, sizeof whole), room = op->value % sizeof part;
  expect(length > 0 && length < sizeof whole && strlen(whole) == length && whole[0] == '{' && whole[length - 1] == '}');
  memset(part, '?', sizeof part);
  /* Other threads may change the figures in between; but what does not fit is part of the length. */
  expect(copse_stats_json(room ? part : NULL, room) > sizeof part);
  if (room) expect(strlen(part) == room - 1);
  for (size_t i = room; i < sizeof part; i++) expect(part[i] == '?');
  if (m->crowded) return;
  static char counted[32768];
  stats_as_text(counted);
  expect(strcmp(whole, counted) == 0);
  expect(!room || memcmp(part, whole, room - 1) == 0);
}

/* ---- the walk ---- */

/* What one walk found: whether it met one live object, in a slot that is not free; its sums; and the text that it would be. */
struct walk {
  uintptr_t at, last;
  unsigned seen, pool;
  uint64_t blocks[COPSE_CLASSES], slots[COPSE_CLASSES], free[COPSE_CLASSES], bare[COPSE_CLASSES];
  uint64_t spans, span_bytes, span_cached, all;
  FILE *text;
};

static uint64_t bits(uint64_t word) { return (uint64_t)__builtin_popcountll(word); }

static void count(struct walk *w, const struct copse_block *b) {
  unsigned class = b->size_class;
  if (class == COPSE_CLASSES) {
    expect(b->slots == 1 && b->arena == 0);
    if (b->free) w->span_cached += b->size;
    else w->spans++, w->span_bytes += b->size;
    return;
  }
  w->blocks[class]++;
  w->slots[class] += b->slots;
  w->free[class] += bits(b->free);
  w->bare[class] += bits(b->bare);
}

static void write_down(struct walk *w, const struct copse_block *b) {
  unsigned long at = (unsigned long)(uintptr_t)b->address, size = b->size, free = b->free, bare = b->bare;
  if (b->size_class == COPSE_CLASSES) fprintf(w->text, "span %lx %lx %lx\n", at, size, free);
  else fprintf(w->text, "block %x %x %lx %lx %x %lx %lx\n", b->size_class, b->arena, at, size, b->slots, free, bare);
}

static int look_at(const struct copse_block *blocks, size_t n, void *context) {
  struct walk *w = context;
  expect(n >= 1 && n <= 64);
  for (const struct copse_block *b = blocks; b < blocks + n; b++) {
    uintptr_t begin = (uintptr_t)b->address, offset = w->at - begin;
    /* Arena by arena, class by class, by their addresses; then the spans. */
    unsigned pool = b->size_class == COPSE_CLASSES ? ~0u : (unsigned)b->arena * COPSE_CLASSES + b->size_class;
    expect(b->size_class <= COPSE_CLASSES && b->size_class == blocks->size_class && b->arena == blocks->arena);
    expect(pool > w->pool || (pool == w->pool && begin >= w->last));
    w->pool = pool;
    w->last = begin + b->slots * b->size;
    expect(b->slots && b->slots <= 64 && !(b->bare & ~b->free) && (b->slots == 64 || !(b->free >> b->slots)));
    count(w, b);
    w->all++;
    if (w->text) write_down(w, b);
    if (w->at < begin || offset >= b->slots * b->size) continue;
    w->seen++;
    expect(!(b->free >> offset / b->size & 1));
  }
  return 0;
}

/* The sums are those of copse_stats. */
static void compare(const struct walk *w) {
  static struct copse_stats stats;
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    expect(w->blocks[class] == c->blocks && w->free[class] == c->free && w->bare[class] == c->bare);
    expect(w->slots[class] + c->uncommitted >= 64 * c->blocks && w->slots[class] <= 64 * c->blocks);
  }
  expect(w->spans == stats.spans && w->span_bytes == stats.span_bytes && w->span_cached == stats.span_cached);
}

/* Ends the walk at the so-manieth call. */
static int end_it(const struct copse_block *blocks, size_t n, void *context) {
  unsigned *left = context;
  (void)blocks;
  (void)n;
  expect(*left);
  return --*left ? 0 : 77;
}

/* The text, by hand, is what copse_heap_write writes. */
static void write_all(struct walk *w) {
  char *text = NULL, *there;
  size_t length = 0;
  int file = memfd_create("heap", MFD_CLOEXEC);
  w->text = open_memstream(&text, &length);
  expect(file >= 0 && w->text);
  fprintf(w->text, "copse-heap 1 %lx\n", (unsigned long)sysconf(_SC_PAGESIZE));
  expect(copse_heap_walk(look_at, w) == 0);
  uint64_t blocks = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) blocks += w->blocks[class];
  fprintf(w->text, "end %lx %lx\n", (unsigned long)blocks, (unsigned long)(w->all - blocks));
  expect(fclose(w->text) == 0);
  errno = 77;
  expect(copse_heap_write(file) == 0 && errno == 77);
  there = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);
  expect(there != MAP_FAILED && lseek(file, 0, SEEK_END) == (off_t)length && memcmp(there, text, length) == 0);
  expect(munmap(there, length) == 0 && close(file) == 0);
  free(text);
}

void api_walk(const struct model *m, const struct op *op) {
  static __thread struct walk w;
  unsigned left = 1 + op->more % 4u;
  w = (struct walk){.at = m->count ? (uintptr_t)m->live[op->which % m->count].at : 0};
  if (op->more & 1 || m->crowded) expect(copse_heap_walk(look_at, &w) == 0);
  else write_all(&w);
  expect(w.seen == (m->count != 0));
  if (!m->crowded) compare(&w);
  int ended = copse_heap_walk(end_it, &left);
  expect(ended == (left ? 0 : 77));
  /* Others' may have gone meanwhile. */
  if (m->crowded ? m->count != 0 : w.all != 0) expect(left < 1 + op->more % 4u);
  if (op->more & 1) return;
  if (m->crowded) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    errno = 77;
    if (nowhere >= 0) expect(copse_heap_write(nowhere) == 0 && errno == 77 && close(nowhere) == 0);
  }
  expect(copse_heap_write(-1) == -1 && errno == EBADF);
}
