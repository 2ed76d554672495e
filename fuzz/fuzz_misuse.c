/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented library says of misuse, between operations that are none: each fault is reported once, in the words that
 * guard.h has for it, and changes nothing, for there is a handler and it returns.  On the release library, where misuse is undefined,
 * there is none, and this is the public interface alone.  stderr is a file while a misuse is reported.
 */
#include "annotate.h"
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "expect.h"
#include "guard.h"
#include "region.h"
#include "setup.h"
#include "target.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  OTHER_SIZE = API_KINDS, INSIDE, TWICE, NOTHING, FOREIGN, OTHER_ALIGNMENT, SIZE_OF_FREED, MOVED, BEYOND_ITS_END, AFTER_FREE, LEAKS,
  DESCRIBE, ANYWHERE, KINDS
};
/* Each looks up the names of a stack. */
enum { MISUSES_MOST = 6 };

static struct model model;

#ifdef COPSE_INSTRUMENTED

static const char *said;
static const void *pointer;
static unsigned count;
static int there; /* stderr, meanwhile */

/* What is not so is said where it is seen. */
static bool loud(bool so) {
  if (!so) dup2(there, STDERR_FILENO);
  return so;
}

static void handle(const struct copse_misuse *misuse, void *context) {
  expect(loud(context == &count && misuse->function && strncmp(misuse->function, "copse_", 6) == 0));
  said = misuse->what;
  pointer = misuse->pointer;
  count++;
  /* It may allocate; under a limit there may be nothing. */
  void *p = copse_alloc(40);
  if (p) copse_free(p, 40);
}

/* So much was reported since the last time, in these words. */
static void reported(unsigned n, const char *what) {
  expect(loud(count == n && (n == 0 || strcmp(said, what) == 0)));
  count = 0;
}

static void misuse_live(const struct live *l, const struct op *op, unsigned kind) {
  size_t past = l->alignment > COPSE_ALIGNMENT_MIN ? l->alignment : COPSE_ALIGNMENT_MIN;
  unsigned char before, *volatile inside; /* or the compiler would warn */
  switch (kind) {
  case OTHER_SIZE:
    copse_free(l->at, l->asked + 1 + op->value % 3);
    reported(1, "not the size asked for");
    break;
  case INSIDE:
    inside = l->at + 1 + op->value % l->asked;
    copse_free_unsized(inside);
    reported(1, "not the start of an allocation");
    break;
  case OTHER_ALIGNMENT:
    if (l->alignment > COPSE_ALIGNMENT_MIN && op->more & 1) {
      copse_free(l->at, l->asked);
      reported(1, "allocated with an alignment: copse_free_aligned frees it");
    } else {
      copse_free_aligned(l->at, l->asked, 2 * past);
      reported(1, "not the alignment asked for");
    }
    break;
  case MOVED:
    expect(loud(!copse_realloc(l->at, l->asked + 1, 100)));
    reported(1, "not the size asked for");
    break;
  case BEYOND_ITS_END:
    /* These look for themselves, and end the process. */
    if (copse_tools & (TOOL_ASAN | TOOL_VALGRIND)) return;
    before = l->at[l->asked];
    l->at[l->asked] = (unsigned char)~before;
    copse_free_unsized(l->at); /* copse_free would be told of an alignment first */
    reported(1, "written beyond its end");
    expect(loud(l->at[l->asked] == before));
    break;
  case DESCRIBE: copse_report_describe(l->at + op->value % (2 * l->asked)); break;
  }
  expect(loud(model_holds(l, l->at, l->usable) && copse_usable_size(l->at) == l->asked));
}

static void misuse_freed(const struct op *op, unsigned kind) {
  size_t size = op_size(op) % 9000 + 1;
  unsigned char *p = copse_alloc(size);
  if (!p) {
    expect(loud(model.may_fail));
    return;
  }
  copse_free(p, size);
  if (kind == TWICE) {
    copse_free(p, size);
    reported(1, "freed before");
  } else if (kind == SIZE_OF_FREED) {
    expect(loud(copse_usable_size(p) == 0));
    reported(1, "freed before");
  } else if (!(copse_tools & (TOOL_ASAN | TOOL_VALGRIND))) {
    /* The newest one is in quarantine, whatever the parameter says. */
    p[op->value % size] ^= 1;
    copse_trim();
    reported(1, "written after free");
    expect(loud(copse_usable_size(p) == 0));
    reported(1, "freed before");
  }
}

/* NULL where it may not be is copse's to report. */
__attribute__((no_sanitize("nonnull-attribute"))) static void misuse(const struct op *op, unsigned kind) {
  /* Not known to the compiler, which would warn of them. */
  void *volatile nothing = NULL;
  int (*volatile nobody)(const struct copse_block *, size_t, void *) = NULL;
  char here[16] = "";
  switch (kind) {
  case TWICE:
  case SIZE_OF_FREED:
  case AFTER_FREE: misuse_freed(op, kind); break;
  case NOTHING:
    if (op->more & 1) copse_free(nothing, 8);
    else if (op->more & 2) expect(loud(copse_heap_walk(nobody, NULL) == 0));
    else expect(loud(!copse_realloc(nothing, 8, 16)));
    reported(1, "a NULL pointer");
    break;
  case FOREIGN:
    copse_free(here, sizeof here);
    expect(loud(pointer == here));
    reported(1, "a pointer that copse never handed out");
    break;
  case ANYWHERE: /* before the start, too */
    copse_report_describe((const void *)((uintptr_t)copse_regions.base + (uint64_t)op->value * 4096 + op->more));
    break;
  case LEAKS: expect(loud(copse_report_leaks() == model.count)); break;
  default:
    if (model.count) misuse_live(&model.live[op->which % model.count], op, kind);
  }
  reported(0, NULL);
}

static void quietly(const struct op *op, unsigned kind) {
  static int file = -1;
  if (file < 0) file = memfd_create("reports", MFD_CLOEXEC);
  there = dup(STDERR_FILENO);
  fflush(stderr);
  expect(file >= 0 && there >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0 && dup2(file, STDERR_FILENO) >= 0);
  misuse(op, kind);
  expect(dup2(there, STDERR_FILENO) >= 0 && close(there) == 0);
}

#else
static void quietly(const struct op *op, unsigned kind) { (void)op, (void)kind; }
#endif

static void start(void) {
  if (!setup_reserve((uint64_t)1 << 36, 1)) return;
#ifdef COPSE_INSTRUMENTED
  copse_on_misuse(handle, &count);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  struct model *models[] = {&model};
  unsigned misuses = 0;
  start();
  model_clear(&model, 1);
  while (op_next(&ops, &op)) {
    unsigned kind = op.kind % KINDS;
    if (!api_do(&model, &op, kind) && misuses++ < MISUSES_MOST) quietly(&op, kind);
  }
  model_check(&model);
  balance_check((const struct model *const *)models, 1, false);
  balance_end(models, 1);
  return 0;
}
