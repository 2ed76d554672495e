/* SPDX-License-Identifier: MIT */
/* The malloc family of the drop-in, by the names that prefix.h gives it. */
#include "balance.h"
#include "base.h"
#include "copse.h"
#include "expect.h"
#include "op.h"
#include "setup.h"
#include "target.h"
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *prefixed_malloc(size_t size);
extern void *prefixed_calloc(size_t count, size_t size);
extern void *prefixed_realloc(void *ptr, size_t size);
extern void prefixed_free(void *ptr);
extern void prefixed_free_sized(void *ptr, size_t size);
extern void prefixed_free_aligned_sized(void *ptr, size_t alignment, size_t size);
extern void *prefixed_aligned_alloc(size_t alignment, size_t size);
extern int prefixed_posix_memalign(void **result, size_t alignment, size_t size);
extern void *prefixed_memalign(size_t alignment, size_t size);
extern void *prefixed_valloc(size_t size);
extern void *prefixed_pvalloc(size_t size);
extern size_t prefixed_malloc_usable_size(void *ptr);
extern int prefixed_malloc_trim(size_t pad);
extern int prefixed_mallopt(int parameter, int value);
extern struct mallinfo2 prefixed_mallinfo2(void);
extern struct mallinfo prefixed_mallinfo(void);
extern int prefixed_malloc_info(int options, FILE *file);
extern void prefixed_malloc_stats(void);

static struct model model;

static struct live *added(void *p, size_t size, size_t aligned, bool zero) {
  expect(p);
  return model_add(&model, p, size ? size : 1, prefixed_malloc_usable_size(p), aligned, zero ? size : 0);
}

static void with_alignment(const struct op *op, unsigned how) {
  size_t size = op_size(op), alignment = op_alignment(op, 21);
  if (!model_has_room(&model, size + size / 2 + alignment)) return;
  void *p = &model;
  if (how == 0) {
    struct live *l = added(prefixed_aligned_alloc(alignment, size), size, alignment, false);
    l->alignment = alignment;
  } else if (how == 1) {
    int error = prefixed_posix_memalign(&p, alignment, size);
    if (alignment < sizeof(void *)) {
      expect(error == EINVAL && p == &model);
      return;
    }
    expect(error == 0);
    added(p, size, alignment, false)->alignment = alignment;
  } else if (how == 2) {
    /* Rounded up to a power of two; not that its caller could free it by its alignment. */
    added(prefixed_memalign(alignment - alignment / 4, size), size, alignment, false)->alignment = alignment > 16 ? alignment : 0;
  } else {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (op->value & 1) added(prefixed_valloc(size), size, page, false)->alignment = page;
    else added(prefixed_pvalloc(size), size ? round_up(size, page) : page, page, false)->alignment = page;
  }
}

static void release(size_t which, unsigned how) {
  struct live l = model_take(&model, which);
  errno = 77;
  if (how % 3 == 0) prefixed_free(l.at);
  else if (l.alignment) prefixed_free_aligned_sized(l.at, l.alignment, l.asked);
  else prefixed_free_sized(l.at, l.asked);
  expect(errno == 77);
}

static void resize(const struct op *op) {
  size_t size = op_size(op), which = model.count ? op->which % model.count : 0;
  if (!model_has_room(&model, size + size / 2)) return;
  if (!model.count) {
    added(prefixed_realloc(NULL, size), size, 16, false);
    return;
  }
  if (size && size < model.live[which].asked) model_mark(&model.live[which], size);
  struct live before = model.live[which];
  void *p = prefixed_realloc(before.at, size);
  model.live[which] = model.live[--model.count];
  model.bytes -= before.usable;
  /* As glibc: a size of 0 frees. */
  if (!size) {
    expect(!p);
    return;
  }
  expect(p && model_holds(&before, p, before.asked < size ? before.asked : size));
  added(p, size, 16, false);
}

/* Sums that overflow, and what nobody can serve.  The sizes are not known to the compiler. */
static void refused(const struct op *op) {
  volatile size_t half = (size_t)1 << 33, too_much = SIZE_MAX - op->value;
  void *p = &model;
  errno = 0;
  switch (op->which % 8) {
  case 0: expect(!prefixed_calloc(half, half) && errno == ENOMEM); break;
  case 1: expect(!prefixed_realloc(NULL, too_much) && errno == ENOMEM); break;
  case 2: expect(!prefixed_malloc(too_much) && errno == ENOMEM); break;
  case 3: expect(!prefixed_aligned_alloc(op->value | 3u, 64) && errno == EINVAL); break;
  case 4: expect(prefixed_posix_memalign(&p, 64, too_much) == ENOMEM && p == &model && errno == 0); break;
  case 5: expect(prefixed_posix_memalign(&p, op->value | 3u, 64) == EINVAL && p == &model && errno == 0); break;
  case 6: expect(!prefixed_memalign(SIZE_MAX - 1, 64) && errno == EINVAL); break;
  case 7: expect(!prefixed_pvalloc(too_much) && errno == ENOMEM); break;
  }
}

/* What has no size that can be served leaves the old one as it is. */
static void resize_refused(const struct op *op) {
  volatile size_t too_much = SIZE_MAX - op->value;
  if (!model.count) return;
  struct live *l = &model.live[op->which % model.count];
  errno = 0;
  expect(!prefixed_realloc(l->at, too_much) && errno == ENOMEM);
  expect(model_holds(l, l->at, l->usable));
}

/* stderr is a file meanwhile.  What it says of objects and spans is what there is. */
static void print(void) {
  static int file = -1;
  static char text[1 << 14];
  unsigned long objects = 0, spans = 0;
  if (file < 0) file = memfd_create("statistics", MFD_CLOEXEC);
  int there = dup(STDERR_FILENO);
  fflush(stderr);
  expect(file >= 0 && there >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0 && dup2(file, STDERR_FILENO) >= 0);
  errno = 77;
  prefixed_malloc_stats();
  int error = errno;
  expect(dup2(there, STDERR_FILENO) >= 0 && close(there) == 0);
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  expect(error == 77 && length > 0);
  text[length] = 0;
  const char *live = strstr(text, " live ");
  expect(live && sscanf(live, " live %*s %*s in %lu objects, %*s %*s in %lu spans", &objects, &spans) == 2);
#ifdef COPSE_INSTRUMENTED
  expect(objects + spans >= model.count);
#else
  expect(objects + spans == model.count);
#endif
}

static void ask(const struct op *op) {
  static char text[1 << 16];
  struct mallinfo2 info = prefixed_mallinfo2();
  size_t bytes = 0;
  for (size_t i = 0; i < model.count; i++) bytes += model.live[i].usable;
#ifdef COPSE_INSTRUMENTED
  expect(info.uordblks + info.hblkhd >= bytes);
#else
  expect(info.uordblks + info.hblkhd == bytes);
#endif
  /* The old one's ints hold all that there is here. */
  struct mallinfo old = prefixed_mallinfo();
  expect((size_t)old.uordblks == info.uordblks && (size_t)old.hblks == info.hblks && (size_t)old.hblkhd == info.hblkhd);
  expect((size_t)old.ordblks == info.ordblks);
  expect(prefixed_mallopt(M_TOP_PAD, op->more) == 1 && prefixed_mallopt(M_PERTURB, op->more) == 0);
  expect(prefixed_mallopt(M_ARENA_MAX, op->more) == 1 && prefixed_mallopt(M_MMAP_MAX, op->more) == 1);
  expect(prefixed_mallopt(M_MXFAST, (int)op->value) == ((int)op->value >= 0 && (int)op->value <= 160));
  expect(prefixed_malloc_usable_size(NULL) == 0);
  prefixed_free(NULL);
  FILE *file = fmemopen(text, sizeof text, "w");
  expect(file && prefixed_malloc_info(1, file) == EINVAL && prefixed_malloc_info(0, file) == 0 && fclose(file) == 0);
  expect(strstr(text, "</malloc>"));
}

static void one(const struct op *op) {
  size_t size = op_size(op);
  bool room = model_has_room(&model, size + size / 2);
  switch (op->kind % 14) {
  case 0:
    if (room) added(prefixed_malloc(size), size, 16, false);
    break;
  case 1:
    if (room) added(prefixed_calloc(size, 1), size, 16, true);
    break;
  case 2:
    if (room) added(prefixed_calloc(op->more & 3u, size / 4), (op->more & 3u) * (size / 4), 16, true);
    break;
  case 3:
  case 4:
  case 5:
  case 6: with_alignment(op, op->kind % 14u - 3); break;
  case 7:
  case 8: resize(op); break;
  case 9:
  case 10:
    for (unsigned n = op->more % 32 + 1u; n && model.count; n--) release((op->which + n) % model.count, op->value + n);
    break;
  case 11:
    for (unsigned n = op->more % 64 + 1u; n && size <= 65536 && model_has_room(&model, size + size / 2); n--)
      added(prefixed_malloc(size), size, 16, false);
    break;
  case 12:
    if (op->size & 1) resize_refused(op);
    else refused(op);
    break;
  case 13:
    if (op->more & 1) prefixed_malloc_trim(op->value);
    else if (op->size & 1) print();
    else ask(op);
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  struct model *models[] = {&model};
  setup_reserve((uint64_t)1 << 36, 1);
  model_clear(&model, 1);
  while (op_next(&ops, &op)) one(&op);
  model_check(&model);
  balance_check((const struct model *const *)models, 1, false);
  while (model.count) release(model.count - 1, (unsigned)model.count);
  balance_end(models, 1);
  return 0;
}
