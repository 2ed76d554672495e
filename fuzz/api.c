/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "api_service.h"
#include "copse-inline.h"
#include "copse.h"
#include "expect.h"
#include <errno.h>
#include <string.h>

/* What copse_alloc promises: 16, and the size itself where that is a power of two up to 4096. */
static size_t promised(size_t size) { return size > 16 && size <= 4096 && !(size & (size - 1)) ? size : COPSE_ALIGNMENT_MIN; }

/* A failure is one that may be, and says so. */
static void refused(const struct model *m, int error) { expect(m->may_fail && error == ENOMEM); }

static struct live *added(struct model *m, void *p, size_t size, size_t aligned, bool zero) {
  if (!p) {
    refused(m, errno);
    return NULL;
  }
  /* A size of 0 is served as 1. */
  return model_add(m, p, size ? size : 1, copse_usable_size(p), aligned, zero ? size : 0);
}

/* ---- one ---- */

static void allocate(struct model *m, const struct op *op, unsigned kind) {
  size_t size = op_size(op), alignment = op_alignment(op, kind == API_ALIGNED && op->value & 1 ? 22 : 12);
  /* What an alignment costs beside the size is at most as much again. */
  if (!model_has_room(m, size + (kind == API_ALIGNED ? alignment : 0) + size / 2)) return;
  errno = 0;
  if (kind == API_ZEROED) {
    added(m, copse_alloc_zeroed(size), size, promised(size), true);
  } else if (kind == API_ALIGNED) {
    struct live *l = added(m, copse_alloc_aligned(size, alignment), size, alignment, false);
    if (l) l->alignment = alignment;
  } else {
    void *p = kind == API_INLINE ? copse_inline_alloc(size) : copse_alloc(size);
    added(m, p, size, promised(size), false);
  }
}

/* A size that is a constant has a path of its own, where it may say that there is a slot. */
static void free_inline(void *p, size_t size) {
  switch (size) {
#define CONSTANT(size_) \
  case size_: \
    copse_inline_free(p, size_); \
    break;
    CONSTANT(16)
    CONSTANT(64)
    CONSTANT(112)
    CONSTANT(1024)
    CONSTANT(4096)
    CONSTANT(65536)
    CONSTANT(81920)
    CONSTANT(98304)
    CONSTANT(131072)
    CONSTANT(196608)
    CONSTANT(262144)
    CONSTANT(524288)
    CONSTANT(1048576)
#undef CONSTANT
  default:
    copse_inline_free(p, size);
  }
}

void api_free_one(struct model *m, size_t which, unsigned how) {
  struct live l = model_take(m, which);
  /* Any size from the one asked for to the usable one is right. */
  size_t size = how & 4 ? l.usable : how & 8 ? l.asked + (l.usable - l.asked) / 2 : l.asked;
  errno = 77;
  if (l.alignment && how & 1) copse_free_unsized(l.at);
  else if (l.alignment) copse_free_aligned(l.at, size, l.alignment);
  else if ((how & 3) == 1) copse_free_unsized(l.at);
  else if ((how & 3) == 2) free_inline(l.at, size);
  else if ((how & 3) == 3) copse_inline_free_unsized(l.at);
  else copse_free(l.at, size);
  expect(errno == 77);
}

static void reallocate(struct model *m, const struct op *op) {
  size_t size = op_size(op), which = m->count ? op->which % m->count : 0;
  /* Both are there at once. */
  if (!model_has_room(m, size + size / 2)) return;
  if (!m->count) {
    added(m, copse_realloc(NULL, 0, size), size, COPSE_ALIGNMENT_MIN, false);
    return;
  }
  size_t old_size = op->more & 1 ? m->live[which].usable : m->live[which].asked;
  if (size && size < old_size) model_mark(&m->live[which], size);
  struct live before = m->live[which];
  errno = 0;
  void *p = copse_realloc(before.at, old_size, size);
  if (!p) {
    refused(m, errno);
    expect(model_holds(&before, before.at, before.usable));
    return;
  }
  size_t stay = old_size < size ? old_size : size;
  expect(model_holds(&before, p, stay));
  /* The model forgets the old one without looking: it may be gone. */
  m->live[which] = m->live[--m->count];
  m->bytes -= before.usable;
  added(m, p, size, COPSE_ALIGNMENT_MIN, false);
}

/* ---- many ---- */

static void batch(struct model *m, const struct op *op) {
  void *out[80];
  size_t size = op_size(op), n = op->more % 80;
  if (size > 65536) n %= 4;
  if (m->count + n > MODEL_MOST || !model_has_room(m, n * (size + size / 2))) return;
  errno = 0;
  memset(out, 0, sizeof out);
  size_t done = copse_alloc_batch(size, n, out);
  int error = errno;
  expect(done <= n);
  if (done < n) refused(m, error);
  for (size_t i = 0; i < n; i++) expect((out[i] != NULL) == (i < done));
  for (size_t i = 0; i < done; i++) added(m, out[i], size, promised(size), false);
}

/* Those of one size, from the last on. */
static void free_batch(struct model *m, const struct op *op) {
  void *ptrs[64];
  size_t n = 0, most = (size_t)op->more % 64 + 1;
  if (!m->count) return;
  size_t size = m->live[op->which % m->count].asked;
  for (size_t i = m->count; i-- > 0 && n < most;)
    if (m->live[i].asked == size && !m->live[i].alignment) ptrs[n++] = model_take(m, i).at;
  copse_free_batch(size, n, ptrs);
}

static void many(struct model *m, const struct op *op) {
  size_t size = op_size(op), n = (size_t)op->more % 128 + 1;
  if (size > 65536) n = n % 4 + 1;
  while (n-- && model_has_room(m, size + size / 2)) {
    errno = 0;
    void *p = copse_alloc(size);
    if (!added(m, p, size, promised(size), false)) break;
  }
}

/* Every few of them, from somewhere on. */
static void free_many(struct model *m, const struct op *op) {
  size_t step = op->value % 5 + 1, n = (size_t)op->more + 1, at = op->which;
  for (; n && m->count; n--, at += step) api_free_one(m, at % m->count, op->value >> 8);
}

void api_serve_all(struct model *m) {
  expect(copse_tune_set("limit", 0) == 0);
  m->may_fail = false;
  while (m->count) api_free_one(m, m->count - 1, 1);
  for (unsigned class = 0; class <= COPSE_CLASSES; class++) {
    size_t size = op_size(&(struct op){.size = (uint8_t)class});
    added(m, class & 1 ? copse_alloc_zeroed(size) : copse_alloc(size), size, promised(size), class & 1);
  }
  model_check(m);
}

bool api_do(struct model *m, const struct op *op, unsigned kind) {
  switch (kind) {
  case API_ALLOC:
  case API_ZEROED:
  case API_ALIGNED:
  case API_INLINE: allocate(m, op, kind); return true;
  case API_REALLOC: reallocate(m, op); return true;
  case API_FREE:
    if (m->count) api_free_one(m, op->which % m->count, op->more & ~1u);
    return true;
  case API_FREE_UNSIZED:
    if (m->count) api_free_one(m, op->which % m->count, op->more | 1);
    return true;
  case API_BATCH: batch(m, op); return true;
  case API_FREE_BATCH: free_batch(m, op); return true;
  case API_MANY: many(m, op); return true;
  case API_FREE_MANY: free_many(m, op); return true;
  default: return api_service_do(m, op, kind);
  }
}
