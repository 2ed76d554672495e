/* SPDX-License-Identifier: MIT */
/*
 * Looking at all blocks and spans: copse_heap_walk, and copse_heap_write as a visitor of it.
 * A pool's lock is held while up to 64 of its words are copied; `visit` and write(2) run without one.
 */
#include "copse.h"
#include "annotate.h"
#include "check.h"
#include "guard.h"
#include "pool.h"
#include "say.h"
#include "span.h"
#include "start.h"
#include "vm.h"
#include <errno.h>
#include <unistd.h>

enum { WALK_BLOCKS = 64, TEXT = 4096, LINE = 96 };

int copse_heap_walk(int (*visit)(const struct copse_block *blocks, size_t n, void *context), void *context) {
  if (INSTRUMENTED && !copse_guard_nonnull(SITE("copse_heap_walk"), (const void *)(uptr)visit)) return 0;
  if (!copse_started()) return 0;
  struct copse_block blocks[WALK_BLOCKS];
  size_t n;
  int ended;
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    u64 block = 0;
    do {
      copse_annotate_enter();
      n = copse_pool_look(p, block, blocks, WALK_BLOCKS);
      copse_annotate_written(blocks, n * sizeof *blocks);
      copse_annotate_leave();
      copse_annotate_call();
      if (n && (ended = visit(blocks, n, context))) return ended;
      block += n;
    } while (n == WALK_BLOCKS);
  }
  u64 granule = 0;
  bool more;
  do {
    copse_annotate_enter();
    more = copse_span_look(&granule, blocks, WALK_BLOCKS, &n);
    copse_annotate_written(blocks, n * sizeof *blocks);
    copse_annotate_leave();
    copse_annotate_call();
    if (n && (ended = visit(blocks, n, context))) return ended;
  } while (more);
  return 0;
}

/* ---- as text ---- */

struct text {
  int fd;
  unsigned used;
  u64 blocks, spans;
  char bytes[TEXT];
};

/* false: refused, with errno. */
static bool flush(struct text *t) {
  bool known = copse_started(); /* before, another thread may be looking for tools */
  if (known) {
    copse_annotate_enter();
    copse_annotate_written(t->bytes, t->used); /* what is known of the stack may be another frame's */
  }
  bool whole = copse_say(t->fd, t->bytes, t->used);
  if (known) copse_annotate_leave();
  t->used = 0;
  return whole;
}

static void put_word(struct text *t, const char *word) {
  while (*word) t->bytes[t->used++] = *word++;
}

/* In hexadecimal, a space before it. */
static void put_number(struct text *t, u64 number) {
  t->bytes[t->used++] = ' ';
  for (unsigned digits = number ? highest_bit(number) / 4 + 1 : 1; digits--;)
    t->bytes[t->used++] = "0123456789abcdef"[number >> 4 * digits & 15];
}

/* false: what was there before it could not be written. */
static bool end_line(struct text *t) {
  t->bytes[t->used++] = '\n';
  return t->used + LINE <= TEXT || flush(t);
}

static int put_blocks(const struct copse_block *blocks, size_t n, void *context) {
  struct text *t = context;
  for (size_t i = 0; i < n; i++) {
    const struct copse_block *b = &blocks[i];
    bool span = b->size_class == COPSE_CLASSES;
    put_word(t, span ? "span" : "block");
    if (!span) put_number(t, b->size_class), put_number(t, b->arena);
    put_number(t, (uptr)b->address);
    put_number(t, b->size);
    if (!span) put_number(t, b->slots);
    put_number(t, b->free);
    if (!span) put_number(t, b->bare);
    *(span ? &t->spans : &t->blocks) += 1;
    if (!end_line(t)) return -1;
  }
  return 0;
}

int copse_heap_write(int fd) {
  int saved = errno;
  struct text t;
  t.fd = fd;
  t.used = 0;
  t.blocks = t.spans = 0;
  put_word(&t, "copse-heap 1");
  put_number(&t, copse_started() ? copse_vm_facts.page : (u64)sysconf(_SC_PAGESIZE));
  if (!end_line(&t) || copse_heap_walk(put_blocks, &t)) return -1;
  put_word(&t, "end");
  put_number(&t, t.blocks);
  put_number(&t, t.spans);
  if (!end_line(&t) || !flush(&t)) return -1;
  errno = saved;
  return 0;
}
