/* SPDX-License-Identifier: MIT */
#include "api_service.h"
#include "api.h"
#include "api_figures.h"
#include "copse.h"
#include "expect.h"
#include <errno.h>
#include <string.h>

/* Parameters and values for them; those out of range are refused, and change nothing. */
static const struct {
  const char *name;
  uint64_t values[6];
} choices[] = {
  {"depth_1k", {112, 4, 5, 64, 3, 121}},
  {"depth_8k", {56, 2, 7, 120, 1, 121}},
  {"depth_64k", {28, 1, 2, 120, 0, 121}},
  {"depth_1m", {2, 1, 3, 120, 0, 121}},
  {"recycler", {32, 0, 1, 2, 1000, 1001}},
  {"growth_min", {65536, 4096, 1 << 20, 5000, 4095, 100000}},
  {"growth_max", {16 << 20, 4096, 1 << 20, 65536, 4095, 70000}},
  {"cooldown", {0, 1, 2, 3, 1000, 1001}},
  {"span_cache", {32 << 20, 0, 2 << 20, 4 << 20, 1 << 20, (uint64_t)1 << 41}},
  {"limit", {0, 1 << 20, 4 << 20, 8 << 20, 64 << 20, (uint64_t)1 << 47}},
  {"huge", {2, 1, 0, 1, 3, 4}},
  {"reserve", {1 << 27, 1, 0, 0, 0, 0}},
  {"quarantine", {1 << 20, 0, 4096, 65536, 1, (uint64_t)1 << 31}},
  {"nonsense", {0, 1, 2, 3, 4, 5}},
  {"peak_trim", {0, 1, 6, 1000, 100, 1001}},
};

void api_tune(struct model *m, const struct op *op) {
  /* The last came later than the corpus: it has the last numbers, and the others keep theirs. */
  unsigned older = sizeof choices / sizeof *choices - 1, which = op->which >= 248 ? older : op->which % older;
  uint64_t value = choices[which].values[op->more % 6], before = 0, after = 0;
  const char *name = choices[which].name;
  errno = 77;
  int known = copse_tune_get(name, &before), error = copse_tune_set(name, value);
  expect(known == 0 || known == ENOENT);
  if (known == 0) expect(copse_tune_get(name, &after) == 0);
  expect(errno == 77);
  if (known == ENOENT) expect(error == ENOENT);
  else if (error == 0) expect(after == value);
  else expect((error == EINVAL || error == EBUSY) && after == before);
  if (error == 0 && strcmp(name, "limit") == 0 && value) m->may_fail = true;
}

/* What it says that it gave back is counted; of spans whole granules are.  Before the first allocation there is nothing to be trimmed. */
static void trim(const struct model *m) {
  static struct copse_stats stats;
  if (m->crowded) {
    copse_trim();
    return;
  }
  copse_stats(&stats);
  uint64_t before = stats.decommitted, generation = stats.generation + (stats.reserved != 0), bytes = copse_trim();
  copse_stats(&stats);
  expect(bytes <= stats.decommitted - before && stats.generation == generation);
}

/* What nobody can serve: above PTRDIFF_MAX, or above all address space there is; and alignments that are none. */
static void impossible(const struct op *op) {
  /* Not known to the compiler, which would warn of them. */
  volatile size_t size = op->more & 1 ? SIZE_MAX - op->value : (size_t)PTRDIFF_MAX - op->value, odd = (size_t)op->value | 3;
  volatile size_t too_much = (size_t)COPSE_ALIGNMENT_MAX * 2;
  void *out[2] = {NULL, NULL};
  errno = 0;
  switch (op->which % 6) {
  case 0: expect(!copse_alloc(size) && errno == ENOMEM); break;
  case 1: expect(!copse_alloc_zeroed(size) && errno == ENOMEM); break;
  case 2: expect(!copse_alloc_aligned(size, 64) && errno == ENOMEM); break;
  case 3: expect(!copse_alloc_aligned(64, odd) && errno == EINVAL); break;
  case 4: expect(!copse_alloc_aligned(64, op->more & 1 ? 0 : too_much) && errno == EINVAL); break;
  case 5: expect(copse_alloc_batch(size, 2, out) == 0 && errno == ENOMEM && !out[0]); break;
  }
}

static void resize_impossible(struct model *m, const struct op *op) {
  if (!m->count) return;
  struct live *l = &m->live[op->which % m->count];
  volatile size_t size = op->more & 1 ? SIZE_MAX - op->value : (size_t)PTRDIFF_MAX - op->value;
  errno = 0;
  expect(!copse_realloc(l->at, l->asked, size) && errno == ENOMEM);
  expect(model_holds(l, l->at, l->usable));
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define VERSION TEXT(COPSE_VERSION_MAJOR) "." TEXT(COPSE_VERSION_MINOR) "." TEXT(COPSE_VERSION_PATCH)

/* What copse_good_size says is what there will be. */
static void sizes(struct model *m, const struct op *op) {
  size_t size = op_size(op), good = copse_good_size(size);
  expect(good >= size && good >= 1 && copse_good_size(good) == good);
  expect(strncmp(copse_version(), VERSION, strlen(VERSION)) == 0);
  expect(copse_good_size((size_t)PTRDIFF_MAX + 1 + op->value) == (size_t)PTRDIFF_MAX + 1 + op->value);
  if (!model_has_room(m, good)) return;
  void *p = copse_alloc(size);
  if (!p) {
    expect(m->may_fail);
    return;
  }
  expect(copse_usable_size(p) == good || m->may_fail || good > COPSE_CLASS_SIZE_MAX);
  expect(copse_usable_size(p) >= good);
  copse_free(p, good);
}

/*
 * Memory that is left alone goes with trim n + 1 after it was freed, and not before.  Nothing else is free and may have pages: a trim
 * without a cooldown comes first.  Where huge pages were ever asked for, what came along with others may go at any time.
 */
static void cooldown(struct model *m, const struct op *op) {
  static struct copse_stats stats;
  uint64_t n = op->more % 4;
  size_t size = 4096 + op->value % 200000;
  copse_stats(&stats);
  if (stats.huge_advised || stats.huge_2m || stats.huge_1g || m->may_fail) return;
  expect(copse_tune_set("cooldown", 0) == 0 && copse_trim() < SIZE_MAX);
  expect(copse_tune_set("cooldown", n) == 0);
  unsigned char *p = copse_alloc(size);
  expect(p);
  memset(p, 1, size);
  copse_free(p, size);
  for (uint64_t i = 0; i < n; i++) expect(copse_trim() == 0);
  expect(copse_trim() >= size / 4096 * 4096);
  expect(copse_tune_set("cooldown", 0) == 0);
}

bool api_service_do(struct model *m, const struct op *op, unsigned kind) {
  switch (kind) {
  case API_TRIM: trim(m); return true;
  case API_CHECKPOINT: copse_checkpoint(); return true;
  case API_FLUSH: copse_thread_flush(); return true;
  case API_TUNE: api_tune(m, op); return true;
  case API_JSON:
    api_json(m, op);
    api_walk(m, op);
    return true;
  case API_CHECK: model_check(m); return true;
  case API_REFUSED:
    if (op->size & 1) resize_impossible(m, op);
    else impossible(op);
    return true;
  case API_SIZES: sizes(m, op); return true;
  case API_COOLDOWN: cooldown(m, op); return true;
  default: return false;
  }
}
