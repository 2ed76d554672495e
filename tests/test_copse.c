/* SPDX-License-Identifier: MIT */
/* What copse.h says of allocating and freeing, sentence by sentence.  Resizing: test_copse_resize.c; batches: test_copse_refused.c;
 * the rest: test_copse_service.c. */
#include "annotate.h"
#include "balance.h"
#include "random.h"
#include <errno.h>
#include <string.h>

/* ---- sizes ---- */

/* Sizes at which something changes: around every class, the largest, a granule of spans, and a few between. */
static size_t edges(size_t out[]) {
  size_t n = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (size_t size = class_size(class) - 1; size <= class_size(class) + 1; size++) out[n++] = size;
  static const size_t more[] = {1, 2, 7, 8, 9, 1500000, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 5000001, 64 << 20};
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) out[n++] = more[i];
  return n;
}
enum { EDGES = 3 * COPSE_CLASSES + 11 };

/* Writes, or looks for, bytes that tell one allocation from the others: the first, the last and some between. */
static void mark(unsigned char *p, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i += size / 16 + 1) p[i] = with;
  p[size - 1] = with;
}
static bool marked(const unsigned char *p, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i += size / 16 + 1)
    if (p[i] != with) return false;
  return p[size - 1] == with;
}

/* "Allocates `size` bytes ... aligned to 16 bytes, and to `size` where `size` is a power of two up to 4096." */
FRESH(every_size_is_served_and_aligned) {
  size_t size[EDGES], n = edges(size);
  unsigned char *p[EDGES];
  CHECK(n == EDGES);
  for (size_t i = 0; i < n; i++) {
    p[i] = copse_alloc(size[i]);
    CHECK(p[i] && (uintptr_t)p[i] % 16 == 0);
    if (size[i] <= 4096 && is_power_of_two(size[i])) CHECK((uintptr_t)p[i] % size[i] == 0);
    mark(p[i], size[i], (unsigned char)i);
  }
  /* No two overlap. */
  for (size_t i = 0; i < n; i++) CHECK(marked(p[i], size[i], (unsigned char)i));
  for (size_t i = 0; i < n; i++) copse_free(p[i], size[i]);
  balance_empty();
}

/* "A size of 0 is served as 1: the result is not NULL, and unique until freed." */
FRESH(size_zero_is_served_as_one) {
  enum { N = 300 };
  char *p[N];
  volatile size_t zero = 0; /* a compiler that knows it takes the byte for out of bounds */
  for (int i = 0; i < N; i++) {
    p[i] = copse_alloc(zero);
    CHECK(p[i] && copse_usable_size(p[i]) >= 1);
    *p[i] = 1;
    for (int j = 0; j < i; j++) CHECK(p[i] != p[j]);
  }
  for (int i = 0; i < N; i++) copse_free(p[i], i & 1);
  char *z = copse_alloc_zeroed(zero), *a = copse_alloc_aligned(zero, 64);
  CHECK(z && a && z != a);
  copse_free(z, 0);
  copse_free_aligned(a, 0, 64);
  balance_empty();
}

/* "Returns NULL with ENOMEM when ... `size` is above PTRDIFF_MAX." */
FRESH(sizes_beyond_all_are_refused) {
  static const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 15, SIZE_MAX, PTRDIFF_MAX,
                                 PTRDIFF_MAX - 4096, (size_t)1 << 62};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    volatile size_t size = sizes[i]; /* so that no compiler warns */
    errno = 0;
    CHECK(!copse_alloc(size) && errno == ENOMEM);
    errno = 0;
    CHECK(!copse_alloc_zeroed(size) && errno == ENOMEM);
    errno = 0;
    CHECK(!copse_alloc_aligned(size, 16) && errno == ENOMEM);
    errno = 0;
    CHECK(!copse_alloc_aligned(size, COPSE_ALIGNMENT_MAX) && errno == ENOMEM);
  }
  /* "failure is never sticky" */
  void *p = copse_alloc(100);
  CHECK(p);
  copse_free(p, 100);
  balance_empty();
}

/* ---- zero ---- */

static bool all_zero(const unsigned char *p, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (p[i]) return false;
  return true;
}

/* "the `size` bytes are zero": of fresh memory, and of memory that was just dirtied, from each place where it can wait. */
FRESH(zeroed_is_zero_after_dirt) {
  size_t size[EDGES], n = edges(size);
  for (size_t i = 0; i < n; i++) {
    if (size[i] > (8 << 20)) continue;
    unsigned char *p[3];
    for (int round = 0; round < 4; round++) {
      for (int j = 0; j < 3; j++) {
        p[j] = copse_alloc_zeroed(size[i]);
        CHECK(p[j] && all_zero(p[j], size[i]));
        memset(p[j], 0xA5, copse_usable_size(p[j]));
      }
      for (int j = 0; j < 3; j++) copse_free(p[j], size[i]);
      if (round == 1) copse_thread_flush();
      if (round == 2) copse_trim();
    }
  }
  balance_empty();
}

/* ---- alignment ---- */

/* "The result is aligned to `alignment` bytes.  `size` need not be a multiple of it." */
FRESH(every_alignment_is_served) {
  static const size_t sizes[] = {0, 1, 24, 100, 4097, 70000, 1 << 20, (1 << 20) + 1, 3 << 20};
  copse_free(copse_alloc(1), 1);
  /* Three at a time; where little was reserved, as under valgrind, all spans have a few hundred MB. */
  size_t most = COPSE_ALIGNMENT_MAX;
  while (4 * most > region_spans_size()) most /= 2;
  unsigned served = 0;
  for (size_t alignment = 1; alignment <= most; alignment *= 2)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      unsigned char *p[3];
      for (int j = 0; j < 3; j++) {
        p[j] = copse_alloc_aligned(sizes[i], alignment);
        CHECK(p[j] && (uintptr_t)p[j] % alignment == 0 && copse_usable_size(p[j]) >= sizes[i]);
        mark(p[j], sizes[i] ? sizes[i] : 1, (unsigned char)j);
        served++;
      }
      for (int j = 0; j < 3; j++) CHECK(marked(p[j], sizes[i] ? sizes[i] : 1, (unsigned char)j));
      copse_free_aligned(p[0], sizes[i], alignment);
      copse_free_unsized(p[1]);
      copse_free_aligned(p[2], copse_usable_size(p[2]), alignment);
    }
  /* "did not come from copse_alloc_aligned with an alignment above 16": up to there copse_free takes it. */
  for (size_t alignment = 1; alignment <= 16; alignment *= 2) copse_free(copse_alloc_aligned(40, alignment), 40);
  balance_empty();
  figure("aligned requests served", "%u", served);
}

/* "Returns NULL with EINVAL when `alignment` is not a power of two from 1 to COPSE_ALIGNMENT_MAX." */
FRESH(wrong_alignments_are_refused) {
  static const size_t wrong[] = {0, 3, 5, 24, 48, 4095, 4097, COPSE_ALIGNMENT_MAX + 1, COPSE_ALIGNMENT_MAX * 2,
                                 COPSE_ALIGNMENT_MAX * 3, (size_t)1 << 63, SIZE_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    volatile size_t alignment = wrong[i];
    errno = 0;
    CHECK(!copse_alloc_aligned(16, alignment) && errno == EINVAL);
  }
}

/* ---- free ---- */

/* "`size` is the size asked for, or any size from there to copse_usable_size(ptr)." */
FRESH(free_takes_any_size_up_to_the_usable_one) {
  size_t size[EDGES], n = edges(size);
  uint64_t seed = 1;
  for (size_t i = 0; i < n; i++)
    for (int j = 0; j < 4; j++) {
      void *p = copse_alloc(size[i]);
      size_t usable = copse_usable_size(p);
      CHECK(usable >= size[i]);
      if (j == 0) copse_free(p, size[i]);
      if (j == 1) copse_free(p, usable);
      if (j == 2) copse_free(p, size[i] + random_below(&seed, usable - size[i] + 1));
      if (j == 3) copse_free_unsized(p);
    }
  balance_empty();
}

/* "How many bytes from `ptr` on may be used: at least the size asked for."  All of them, to the last. */
FRESH(the_usable_size_may_be_used) {
  enum { N = 100 };
  size_t size[EDGES], n = edges(size);
  for (size_t i = 0; i < n; i++) {
    if (size[i] > 100000) continue;
    unsigned char *p[N];
    for (int j = 0; j < N; j++) {
      p[j] = copse_alloc(size[i]);
      memset(p[j], j, copse_usable_size(p[j]));
    }
    for (int j = 0; j < N; j++) {
      size_t usable = copse_usable_size(p[j]);
      CHECK(p[j][0] == j && p[j][usable - 1] == j && p[j][usable / 2] == j);
      copse_free(p[j], usable);
    }
  }
  balance_empty();
}

/* "The usable size that copse_alloc(size) would give: asking for that much costs no more memory." */
FRESH(good_size_is_the_usable_one) {
  size_t size[EDGES], n = edges(size), before[EDGES], waste = 0;
  for (size_t i = 0; i < n; i++) before[i] = copse_good_size(size[i]); /* before the first allocation, too */
  for (size_t i = 0; i < n; i++) {
    size_t good = copse_good_size(size[i]);
    void *p = copse_alloc(size[i]), *q = copse_alloc(good);
    CHECK(good == before[i] && good >= size[i] && copse_good_size(good) == good);
#ifndef COPSE_INSTRUMENTED /* there the usable size may be the one asked for */
    CHECK(copse_usable_size(p) == good);
#endif
    CHECK(copse_usable_size(q) == good);
    if (size[i] >= 128 && (good - size[i]) * 1000 / size[i] > waste) waste = (good - size[i]) * 1000 / size[i];
    copse_free(p, size[i]);
    copse_free(q, good);
  }
  CHECK(waste <= 250);
  CHECK(copse_good_size(0) == (INSTRUMENTED ? 1 : 16));
  /* "A `size` above PTRDIFF_MAX is returned as it is." */
  CHECK(copse_good_size((size_t)PTRDIFF_MAX + 1) == (size_t)PTRDIFF_MAX + 1 && copse_good_size(SIZE_MAX) == SIZE_MAX);
  figure("most waste of a size from 128 on", "%zu.%zu %%", waste / 10, waste % 10);
}

/* "No function that frees changes errno." */
FRESH(freeing_keeps_errno) {
  enum { N = 20000 };
  static void *p[N];
  static const size_t sizes[] = {16, 1000, 5000, 70000, 3 << 20};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    size_t n = sizes[s] > 4096 ? 40 : LESS(N);
    for (int way = 0; way < 5; way++) {
      for (size_t i = 0; i < n; i++) CHECK((p[i] = way == 2 ? copse_alloc_aligned(sizes[s], 64) : copse_alloc(sizes[s])));
      for (size_t i = 0; i < n; i++) {
        errno = 12345;
        if (way == 0) copse_free(p[i], sizes[s]);
        if (way == 1) copse_free_unsized(p[i]);
        if (way == 2) copse_free_aligned(p[i], sizes[s], 64);
        if (way == 3) copse_free_batch(sizes[s], 1, &p[i]);
        if (way == 4) {
          void *q = copse_realloc(p[i], sizes[s], 16);
          CHECK(q && errno == 12345);
          copse_free(q, 16);
        }
        CHECK(errno == 12345);
      }
      copse_trim();
      copse_thread_flush();
      copse_checkpoint();
      CHECK(errno == 12345);
    }
  }
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_size_is_served_and_aligned),
    cmocka_unit_test(size_zero_is_served_as_one),
    cmocka_unit_test(sizes_beyond_all_are_refused),
    cmocka_unit_test(zeroed_is_zero_after_dirt),
    cmocka_unit_test(every_alignment_is_served),
    cmocka_unit_test(wrong_alignments_are_refused),
    cmocka_unit_test(free_takes_any_size_up_to_the_usable_one),
    cmocka_unit_test(the_usable_size_may_be_used),
    cmocka_unit_test(good_size_is_the_usable_one),
    cmocka_unit_test(freeing_keeps_errno),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
