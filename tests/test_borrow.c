/* SPDX-License-Identifier: MIT */
/* A class whose region is full borrows from larger ones, as long as there are any; and is allocated from again. */
#include "balance.h"
#include "random.h"
#include <errno.h>
#include <string.h>

enum { MOST = 400000, SMALLEST = 1 << 27 }; /* the least reservation: regions of 2 MB */
static void *object[MOST];

/* Fills up all that a size can have.  Returns how many; of them `home` are in the size's own class. */
static unsigned fill(size_t size, unsigned most, unsigned *home, struct live *live) {
  unsigned n = 0, class = class_of_request(size);
  *home = 0;
  errno = 0;
  for (; n < most && (object[n] = copse_alloc(size)); n++) {
    unsigned in = (unsigned)region_of(object[n]);
    CHECK(in >= class && in < COPSE_CLASSES && copse_usable_size(object[n]) >= size);
    CHECK(((uptr)object[n] & (class_alignment(INSTRUMENTED ? 0 : class) - 1)) == 0);
    *home += in == class;
    live_add(live, object[n]);
    memset(object[n], (int)n, size);
  }
  for (unsigned i = 0; i < n; i++) {
    CHECK(*(unsigned char *)object[i] == (unsigned char)i);
    CHECK(((unsigned char *)object[i])[size - 1] == (unsigned char)i);
  }
  return n;
}

static void empty(size_t size, unsigned n) {
  uint64_t seed = size;
  random_order(&seed, n, object);
  for (unsigned i = 0; i < n; i++) i & 1 ? copse_free(object[i], size) : copse_free_unsized(object[i]);
}

FRESH(a_full_class_borrows) {
  static const size_t sizes[] = {16, 48, 100, 1000, 4096, 5000, 70000};
  CHECK(copse_tune_set("reserve", SMALLEST) == 0);
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    struct live live = {{0}};
    unsigned home, home_again, n = fill(sizes[s], MOST, &home, &live);
    CHECK(home > 0 && home < n);
    balance(&live);
    empty(sizes[s], n);
    copse_trim();
    balance_empty();
    /* An exhausted pool serves again, and first. */
    memset(&live, 0, sizeof live);
    unsigned again = fill(sizes[s], home / 2, &home_again, &live);
    CHECK(again == home_again && again == home / 2);
    empty(sizes[s], again);
    balance_empty();
    figure("objects of a full class, and borrowed ones", "%zu bytes: %u, %u", sizes[s], home, n - home);
  }
}

/* All of it: then it is ENOMEM, for this size and all larger ones, and not for ever. */
FRESH(when_all_classes_are_full_it_is_enomem) {
  CHECK(copse_tune_set("reserve", SMALLEST) == 0);
  struct live live = {{0}};
  unsigned home, n = fill(5000, MOST, &home, &live);
  CHECK(n < MOST && errno == ENOMEM);
  errno = 0;
  CHECK(!copse_alloc(5000) && errno == ENOMEM && !copse_alloc_zeroed(5000) && !copse_alloc_aligned(4500, 512));
  void *small = copse_alloc(100); /* smaller ones have their own */
  CHECK(small);
  copse_free(small, 100);
  for (unsigned i = 0; i < 10; i++) {
    copse_free(object[i], 5000);
    CHECK((object[i] = copse_alloc(5000)));
  }
  empty(5000, n);
  CHECK(fill(5000, n, &home, &live) == n);
  empty(5000, n);
  balance_empty();
  figure("all that 2 MB regions have for 5,000 bytes", "%u objects, %u KB", n, n * 5000 / 1024);
}

/* A slot that is freed serves the next request, wherever it lies now: in a bundle of the larger class, or in a recycler. */
FRESH(what_is_freed_serves_again) {
  CHECK(copse_tune_set("reserve", SMALLEST) == 0);
  struct live live = {{0}};
  unsigned home, n = fill(5000, MOST, &home, &live);
  for (unsigned round = 0; round < 3; round++) {
    unsigned some = round == 0 ? 1 : round == 1 ? 20 : n - home;
    for (unsigned i = n - some; i < n; i++) copse_free(object[i], 5000); /* borrowed, the largest of all */
    for (unsigned i = n - some; i < n; i++) {
      errno = 0;
      CHECK((object[i] = copse_alloc(5000)));
    }
  }
  CHECK(!copse_alloc(5000) && errno == ENOMEM);
  empty(5000, n);
  balance_empty();
}

/* Zeroed, aligned and resized requests borrow as others do. */
FRESH(every_kind_of_request_borrows) {
  CHECK(copse_tune_set("reserve", SMALLEST) == 0);
  enum { SIZE = 20000, ALIGNMENT = 4096 };
  unsigned n = 0, borrowed = 0;
  for (unsigned way = 0; n < 500; way = (way + 1) % 3, n++) {
    unsigned char *p = way == 0   ? copse_alloc_zeroed(SIZE)
                       : way == 1 ? copse_alloc_aligned(SIZE, ALIGNMENT)
                                  : copse_realloc(copse_alloc(16), 16, SIZE);
    if (!p) break;
    CHECK(way != 1 || (uptr)p % ALIGNMENT == 0);
    for (unsigned i = 0; way == 0 && i < SIZE; i++) CHECK(p[i] == 0);
    memset(p, 0xEE, copse_usable_size(p));
    borrowed += region_of(p) != class_of_request(SIZE);
    object[n] = p;
  }
  CHECK(borrowed > 20);
  while (n--) copse_free_unsized(object[n]);
  copse_free(copse_alloc(16), 16);
  figure("requests of all kinds that borrowed", "%u", borrowed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_full_class_borrows),
    cmocka_unit_test(when_all_classes_are_full_it_is_enomem),
    cmocka_unit_test(what_is_freed_serves_again),
    cmocka_unit_test(every_kind_of_request_borrows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
