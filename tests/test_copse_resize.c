/* SPDX-License-Identifier: MIT */
/* What copse.h says of copse_realloc.  Batches, and requests that the system refuses: test_copse_refused.c. */
#include "balance.h"
#include "random.h"
#include "vm_faults.h"
#include <errno.h>
#include <string.h>

/* Every byte up to 64 KB, then some of each page. */
static void fill(unsigned char *p, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i += i < 65536 ? 1 : 509) p[i] = (unsigned char)(i * 7 + (i >> 12) + seed);
}
static bool filled(const unsigned char *p, size_t size, unsigned seed) {
  for (size_t i = 0; i < size; i += i < 65536 ? 1 : 509)
    if (p[i] != (unsigned char)(i * 7 + (i >> 12) + seed)) return false;
  return true;
}

/* ---- copse_realloc ---- */

/* "the contents up to the lesser of both stay", between any two sizes. */
FRESH(contents_stay) {
  static const size_t sizes[] = {1,     16,      17,      100,         1000,    4096,    5000,    16384, 70000,
                                 400000, 1 << 20, 1048577, (2 << 20) - 1, 3 << 20, 9 << 20, 30 << 20};
  enum { N = sizeof sizes / sizeof *sizes };
  unsigned moved = 0, stayed = 0;
  for (unsigned from = 0; from < N; from++)
    for (unsigned to = 0; to < N; to++) {
      if (UNDER_SANITIZER && sizes[from] + sizes[to] > (10 << 20)) continue;
      unsigned char *p = copse_alloc(sizes[from]);
      fill(p, sizes[from], from);
      unsigned char *q = copse_realloc(p, sizes[from], sizes[to]);
      CHECK(q && copse_usable_size(q) >= sizes[to]);
      CHECK(filled(q, sizes[from] < sizes[to] ? sizes[from] : sizes[to], from));
      q == p ? stayed++ : moved++;
      q[sizes[to] - 1] = 1;
      copse_free(q, sizes[to]);
    }
  balance_empty();
  figure("resized in place, and by moving", "%u, %u", stayed, moved);
}

/* "`old_size` is a size that copse_free would take for it": the usable one too, and then all of that stays. */
FRESH(the_usable_size_is_an_old_size) {
  for (size_t size = 1; size < 100000; size = size * 3 + 1) {
    unsigned char *p = copse_alloc(size);
    size_t usable = copse_usable_size(p);
    /* The compiler knows what was asked for; so it hears of the rest, which is there already. */
    unsigned char *q = copse_realloc(p, size, usable);
    CHECK(q && (INSTRUMENTED || q == p));
    p = q;
    fill(p, usable, 3);
    p = copse_realloc(p, usable, 4 * usable);
    CHECK(p && filled(p, usable, 3));
    copse_free(p, 4 * usable);
  }
  balance_empty();
}

/* "A `new_size` of 0 is served as 1 and does not free.  A `ptr` of NULL with an `old_size` of 0 allocates." */
FRESH(resizing_to_and_from_nothing) {
  static const size_t sizes[] = {1, 64, 100, 5000, 70000, 3 << 20};
  volatile size_t zero = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *p = copse_realloc(NULL, 0, sizes[i]);
    CHECK(p);
    *p = 42;
    /* volatile: the compiler knows the size asked for, and would not believe in the byte. */
    char *volatile q = copse_realloc(p, sizes[i], zero);
    CHECK(q && copse_usable_size(q) >= 1 && *q == 42);
    copse_free(q, 0);
  }
  char *p = copse_realloc(NULL, 0, zero);
  CHECK(p);
  copse_free(p, 0);
  balance_empty();
}

/* "Returns NULL with ENOMEM when there is no memory; then the old allocation is untouched." */
FRESH(a_refused_resize_leaves_all_as_it_was) {
  static const size_t sizes[] = {16, 1000, 5000, 70000, 1 << 20, 3 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    unsigned char *p = copse_alloc(sizes[i]);
    fill(p, sizes[i], 9);
    volatile size_t much = (size_t)PTRDIFF_MAX + 1, all = SIZE_MAX, more = (size_t)1 << 50;
    errno = 0;
    CHECK(!copse_realloc(p, sizes[i], much) && errno == ENOMEM);
    errno = 0;
    CHECK(!copse_realloc(p, sizes[i], all) && errno == ENOMEM);
    errno = 0;
    CHECK(!copse_realloc(p, sizes[i], more) && errno == ENOMEM);
    CHECK(filled(p, sizes[i], 9) && copse_usable_size(p) >= sizes[i]);
    /* A limit that is reached already: shrinking needs memory too where it moves. */
    CHECK(copse_tune_set("limit", 1) == 0);
    errno = 0;
    CHECK(!copse_realloc(p, sizes[i], 900 << 20) && errno == ENOMEM);
    CHECK(filled(p, sizes[i], 9));
    errno = 0;
    unsigned char *q = copse_realloc(p, sizes[i], sizes[i] / 3);
    CHECK(q || errno == ENOMEM);
    CHECK(copse_tune_set("limit", 0) == 0);
    if (!q) {
      CHECK(filled(p, sizes[i], 9));
      q = copse_realloc(p, sizes[i], sizes[i] / 3);
    }
    CHECK(q && filled(q, sizes[i] / 3, 9));
    p = q;
    copse_free(p, sizes[i] / 3);
  }
  balance_empty();
}

/* What other classes have free is given back before growth is refused, though there is no room for the old and the new at once. */
FRESH(growth_takes_what_others_have_free) {
  if (INSTRUMENTED) {
    left_out("the instrumented library always moves");
    return;
  }
  enum { N = 2000, SIZE = 10000, FROM = 100 << 20, TO = 115 << 20 };
  static void *other[N];
  CHECK(copse_tune_set("huge", 0) == 0 && copse_tune_set("limit", 130 << 20) == 0);
  for (int i = 0; i < N; i++) CHECK((other[i] = copse_alloc(SIZE)));
  unsigned char *p = copse_alloc(FROM);
  CHECK(p);
  fill(p, FROM, 4);
  for (int i = 0; i < N; i++) copse_free(other[i], SIZE);
  errno = 0;
  p = copse_realloc(p, FROM, TO);
  CHECK(p && errno == 0 && filled(p, FROM, 4));
  /* And no more than there is: then it is what it was. */
  CHECK(!copse_realloc(p, TO, 131 << 20) && errno == ENOMEM && filled(p, FROM, 4));
  copse_free(p, TO);
  balance_empty();
}

/* "Large allocations grow by remapping pages (mremap(2)), without a copy." */
FRESH(large_ones_grow_without_a_copy) {
  if (INSTRUMENTED) {
    left_out("the instrumented library always moves, so that a stale pointer is found");
    return;
  }
  enum { FROM = 4 << 20, TO = 64 << 20 };
  vm_faults_install();
  CHECK(copse_tune_set("huge", 0) == 0);
  unsigned char *p = copse_alloc(FROM), *wall = copse_alloc(FROM); /* so that it must move */
  CHECK(p && wall);
  fill(p, FROM, 5);
  struct copse_stats before, after;
  copse_stats(&before);
  unsigned char *q = copse_realloc(p, FROM, TO);
  copse_stats(&after);
  CHECK(q && filled(q, FROM, 5));
  CHECK(q == p || vm_faults.calls[VM_MREMAP] > 0);
  figure("system calls to grow 4 MB to 64 MB", "%llu, of them %llu mremap",
         (unsigned long long)(after.system_calls - before.system_calls), (unsigned long long)vm_faults.calls[VM_MREMAP]);
  copse_free(q, TO);
  copse_free(wall, FROM);
  balance_empty();
}

/* A random walk over sizes, many allocations at once. */
/* "What grows from 64 KB on does so without a copy": it moves once, and then only if something stands behind it. */
FRESH(what_grows_from_64_kb_on_moves_once) {
  if (INSTRUMENTED) {
    figure("resized by hand in the instrumented library", "always moved");
    return;
  }
  unsigned moves = 0;
  size_t size = 65536;
  unsigned char *p = copse_alloc(size);
  fill(p, size, 9);
  for (; size < (64 << 20); size += size / 3) {
    size_t before = size < 65536 ? size : 65536;
    unsigned char *q = copse_realloc(p, size, size + size / 3);
    CHECK(q && filled(q, before, 9));
    moves += q != p;
    p = q;
  }
  CHECK(moves == 1);
  /* Less again: back in a class, and from there once more. */
  p = copse_realloc(p, size, 100000);
  CHECK(p && filled(p, 65536, 9));
  p = copse_realloc(p, 100000, 200000);
  CHECK(p && filled(p, 65536, 9));
  copse_free(p, 200000);
  balance_empty();
  figure("from 64 KB to 64 MB by thirds", "%u move", moves);
}

/* So it does by steps of less than a page, whichever of the sizes it may be freed with is said to be the old one. */
FRESH(what_grows_by_little_moves_once) {
  if (INSTRUMENTED) {
    figure("grown by little in the instrumented library", "always moved");
    return;
  }
  unsigned moves = 0;
  unsigned char *p = copse_alloc(65536);
  fill(p, 65536, 9);
  for (size_t size = 65536; size < (2 << 20); size += 1000) {
    unsigned char *q = copse_realloc(p, copse_usable_size(p), size);
    CHECK(q && filled(q, 65536, 9) && copse_usable_size(q) >= size);
    moves += q != p;
    p = q;
  }
  CHECK(moves == 1);
  copse_free_unsized(p);
  balance_empty();
}

/* Where no span is to be had, a class serves. */
FRESH(growth_without_spans) {
  void *span[200];
  unsigned n = 0;
  if (INSTRUMENTED) return;
  CHECK(copse_tune_set("reserve", (uint64_t)1 << 27) == 0);
  while (n < 200 && (span[n] = copse_alloc((2 << 20) - 4096))) n++;
  CHECK(n > 0 && n < 200);
  unsigned char *p = copse_alloc(65536);
  fill(p, 65536, 5);
  for (size_t size = 65536; size < 400000; size += size / 3) {
    p = copse_realloc(p, size, size + size / 3);
    CHECK(p && copse_usable_size(p) == copse_good_size(size + size / 3));
  }
  CHECK(filled(p, 65536, 5));
  copse_free_unsized(p);
  while (n) copse_free_unsized(span[--n]);
  balance_empty();
}

FRESH(resizing_at_random) {
  enum { N = 64 };
  unsigned char *p[N] = {0};
  size_t size[N] = {0};
  uint64_t seed = 77;
  for (int step = 0; step < LESS(20000); step++) {
    unsigned i = (unsigned)random_below(&seed, N);
    size_t most = (size_t)16 << random_below(&seed, step % 100 ? 13 : 18), to = 1 + random_below(&seed, most);
    CHECK(filled(p[i], size[i] < 4096 ? size[i] : 4096, i));
    p[i] = copse_realloc(p[i], size[i], to);
    CHECK(p[i] && filled(p[i], size[i] < to ? size[i] : to, i));
    fill(p[i], to, i);
    size[i] = to;
  }
  for (int i = 0; i < N; i++)
    if (p[i]) copse_free(p[i], size[i]);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(contents_stay),
    cmocka_unit_test(the_usable_size_is_an_old_size),
    cmocka_unit_test(resizing_to_and_from_nothing),
    cmocka_unit_test(a_refused_resize_leaves_all_as_it_was),
    cmocka_unit_test(growth_takes_what_others_have_free),
    cmocka_unit_test(large_ones_grow_without_a_copy),
    cmocka_unit_test(what_grows_from_64_kb_on_moves_once),
    cmocka_unit_test(what_grows_by_little_moves_once),
    cmocka_unit_test(growth_without_spans),
    cmocka_unit_test(resizing_at_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
