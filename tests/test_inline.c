/* SPDX-License-Identifier: MIT */
/* copse-inline.h: the same as the functions, and both kinds mixed freely. */
#include "copse-inline.h"
#include "balance.h"
#include "random.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The class that a caller's code works out is the one that the library uses. */
static void classes_agree(void **state) {
  (void)state;
  for (size_t size = 0; size <= COPSE_CLASS_SIZE_MAX; size++) {
    unsigned class = copse_class_(size);
    if (class != class_of_size(size) || class_size(class) < size || (class && class_size(class - 1) >= size && size))
      fail_msg("size %zu: class %u", size, class);
  }
}

/* "their contracts are those of copse_alloc, copse_free and copse_free_unsized" */
FRESH(every_size_as_by_the_functions) {
  volatile size_t zero = 0, much = (size_t)PTRDIFF_MAX + 1, most = SIZE_MAX;
  for (unsigned class = 0; class <= COPSE_CLASSES; class++)
    for (int about = -1; about <= 1; about++) {
      size_t size = (class < COPSE_CLASSES ? class_size(class) : (size_t)7 << 20) + (size_t)about;
      unsigned char *p[4];
      for (int i = 0; i < 4; i++) {
        CHECK((p[i] = copse_inline_alloc(size)));
        CHECK((uptr)p[i] % 16 == 0 && copse_usable_size(p[i]) >= size);
        if (size <= 4096 && is_power_of_two(size)) CHECK((uptr)p[i] % size == 0);
        if (!INSTRUMENTED) CHECK(copse_usable_size(p[i]) == copse_good_size(size));
        memset(p[i], i, size);
      }
      for (int i = 0; i < 4; i++) CHECK(p[i][0] == i && p[i][size - 1] == i);
      copse_inline_free(p[0], size);
      copse_inline_free_unsized(p[1]);
      copse_inline_free(p[2], copse_usable_size(p[2]));
      copse_free(p[3], size);
    }
  void *none = copse_inline_alloc(zero), *other = copse_inline_alloc(zero);
  CHECK(none && other && none != other);
  copse_inline_free(none, zero);
  copse_inline_free_unsized(other);
  errno = 0;
  CHECK(!copse_inline_alloc(much) && errno == ENOMEM);
  errno = 0;
  CHECK(!copse_inline_alloc(most) && errno == ENOMEM);
  balance_empty();
}

/* A slot made smaller in place lies in another class's bundle when it is freed by its size: it counts where its address is. */
FRESH(slots_are_counted_by_their_addresses) {
  if (INSTRUMENTED) {
    left_out("the instrumented library always moves");
    return;
  }
  enum { N = 100 };
  void *many[N];
  struct copse_stats stats;
  for (int i = 0; i < N; i++) {
    void *p = copse_alloc(1024);
    CHECK(p && (many[i] = copse_realloc(p, 1024, 700)) == p);
  }
  for (int i = 0; i < N; i++) copse_inline_free(many[i], 700);
  balance_empty();
  copse_stats(&stats);
  CHECK(stats.classes[class_of_size(1024)].cached > 0 && stats.classes[class_of_size(700)].cached == 0);
  /* Also from the spare, and from the recycler. */
  for (int i = 0; i < N; i++) CHECK((many[i] = copse_alloc(1024)));
  for (int i = 0; i < N; i++) copse_inline_free(many[i], 700);
  balance_empty();
  copse_trim();
  balance_empty();
}

/* Sizes that are constants have paths of their own.  Under valgrind all spans have a few hundred MB. */
enum { MANY = UNDER_VALGRIND ? 100 : 200 };
#define CONSTANT(size) \
  do { \
    void *many[MANY]; \
    for (int i = 0; i < MANY; i++) { \
      CHECK((many[i] = i % 3 ? copse_inline_alloc(size) : copse_alloc(size))); \
      memset(many[i], i, (size)); \
    } \
    for (int i = 0; i < MANY; i++) { \
      CHECK(*(unsigned char *)many[i] == i && ((unsigned char *)many[i])[(size)-1] == i); \
      errno = 321; \
      i % 4 == 0   ? copse_inline_free(many[i], (size)) \
      : i % 4 == 1 ? copse_inline_free_unsized(many[i]) \
      : i % 4 == 2 ? copse_free(many[i], (size)) \
                   : copse_free_unsized(many[i]); \
      CHECK(errno == 321); \
    } \
  } while (0)

FRESH(constant_sizes) {
  CONSTANT(1);
  CONSTANT(16);
  CONSTANT(17);
  CONSTANT(128);
  CONSTANT(129);
  CONSTANT(1000);
  CONSTANT(1024);
  CONSTANT(1025);
  CONSTANT(5000);
  CONSTANT(65536);
  CONSTANT(1 << 20);
  balance_empty();
  CONSTANT((1 << 20) + 1);
  balance_empty();
}

/* What was moved from one size to another, by way of anything, is freed by its last; there may be a span where a slot would do. */
#define MOVED(size) \
  do { \
    static const size_t from[] = {1, 5000, 40000, 65535, 65536, 65537, 70000, 100000, 1 << 20, (1 << 20) + 1, 5 << 20}; \
    for (unsigned i = 0; i < sizeof from / sizeof *from; i++) \
      for (unsigned j = 0; j < sizeof from / sizeof *from; j++) { \
        unsigned char *p = copse_inline_alloc(from[i]), *q; \
        CHECK(p); \
        p[0] = 77; \
        CHECK((q = copse_realloc(p, from[i], from[j])) && (p = copse_realloc(q, from[j], (size))) && p[0] == 77); \
        p[(size)-1] = 7; \
        copse_inline_free(p, (size)); \
      } \
  } while (0)

FRESH(constant_sizes_of_what_was_moved) {
  MOVED(1);
  MOVED(64);
  MOVED(5000);
  MOVED(65535);
  MOVED(65536);
  MOVED(65537);
  MOVED(81920);
  MOVED(200000);
  MOVED(1 << 20);
  MOVED((1 << 20) + 1);
  balance_empty();
}

/* What is aligned beyond the largest class is a span whatever its size; moved by copse_realloc it is freed as what copse_alloc gives. */
#define UNALIGNED(size)                                                                                                                   \
  do {                                                                                                                                    \
    static const size_t from[] = {1, 100, 5000, 65536, 70000, 3 << 20};                                                                   \
    for (unsigned i = 0; i < sizeof from / sizeof *from; i++) {                                                                           \
      unsigned char *p = copse_alloc_aligned(from[i], 2 << 20), *q;                                                                       \
      CHECK(p && ((uintptr_t)p & ((2 << 20) - 1)) == 0);                                                                                  \
      p[0] = 77;                                                                                                                          \
      CHECK((q = copse_realloc(p, from[i], (size))) && q[0] == 77);                                                                       \
      q[(size)-1] = 7;                                                                                                                    \
      copse_inline_free(q, (size));                                                                                                       \
    }                                                                                                                                     \
  } while (0)

/* An alignment makes a span of few bytes, which is freed by its size alone once copse_realloc gave it back. */
FRESH(constant_sizes_of_what_was_aligned) {
  void *many[MANY];
  struct copse_stats stats;
  /* Empty bundles in the record: what stands behind its tops is not all 0. */
  for (size_t i = 0; i < MANY; i++) CHECK((many[i] = copse_alloc(16 * i + 1)));
  for (size_t i = 0; i < MANY; i++) copse_free(many[i], 16 * i + 1);
  copse_thread_flush();
  for (size_t alignment = (size_t)1 << 20; alignment <= (size_t)8 << 20; alignment *= 2) {
    unsigned char *p = copse_alloc_aligned(100, alignment), *q;
    CHECK(p);
    p[99] = 77;
    CHECK((q = copse_realloc(p, 100, 200)) && q[99] == 77);
    copse_inline_free(q, 200);
    CHECK((p = copse_alloc_aligned(65536, alignment)) && (q = copse_realloc(p, 65536, 65536)));
    copse_inline_free(q, 65536);
  }
  UNALIGNED(1);
  UNALIGNED(200);
  UNALIGNED(4096);
  UNALIGNED(5000);
  UNALIGNED(65536);
  UNALIGNED(65537);
  UNALIGNED(1 << 20);
  UNALIGNED((1 << 20) + 1);
  balance_empty();
  copse_stats(&stats);
  CHECK(INSTRUMENTED || stats.spans == 0);
}

/* A thread's first call may be an inlined one, of either kind; and what one thread frees another may have allocated. */
static void *first_free(void *p) {
  copse_inline_free(p, 80);
  return NULL;
}
static void *first_free_unsized(void *p) {
  copse_inline_free_unsized(p);
  return NULL;
}
static void *first_alloc(void *unused) {
  (void)unused;
  return copse_inline_alloc(80);
}

FRESH(a_threads_first_call) {
  static void *(*const calls[])(void *) = {first_free, first_free_unsized, first_alloc};
  for (int i = 0; i < 30; i++) {
    pthread_t thread;
    void *p = i % 3 < 2 ? copse_inline_alloc(80) : NULL, *q;
    CHECK(pthread_create(&thread, NULL, calls[i % 3], p) == 0);
    pthread_join(thread, &q);
    if (i % 3 == 2) {
      CHECK(q);
      copse_inline_free(q, 80);
    }
  }
  balance_empty();
}

/* Before the process's first call of all, too. */
FRESH(the_first_call_of_all) {
  void *p = copse_inline_alloc(1000);
  CHECK(p);
  memset(p, 1, 1000);
  copse_inline_free(p, 1000);
  balance_empty();
}

/* Both kinds, all sizes, in many threads, with trims between. */
static void *mix(void *argument) {
  enum { N = 500 };
  uint64_t seed = (uintptr_t)argument + 1;
  struct {
    unsigned char *p;
    size_t size;
  } held[N];
  memset(held, 0, sizeof held);
  for (unsigned i = 0; i < LESS(300000); i++) {
    unsigned at = (unsigned)random_below(&seed, N);
    if (held[at].p) {
      CHECK(held[at].p[0] == (unsigned char)held[at].size && held[at].p[held[at].size - 1] == (unsigned char)held[at].size);
      switch (i & 3) {
      case 0: copse_inline_free(held[at].p, held[at].size); break;
      case 1: copse_inline_free_unsized(held[at].p); break;
      case 2: copse_free(held[at].p, held[at].size); break;
      default: copse_free_unsized(held[at].p);
      }
      held[at].p = NULL;
      continue;
    }
    size_t size = 1 + random_below(&seed, (size_t)32 << random_below(&seed, i % 64 ? 7 : 16));
    CHECK((held[at].p = i % 2 ? copse_inline_alloc(size) : copse_alloc(size)));
    held[at].size = size;
    held[at].p[0] = held[at].p[size - 1] = (unsigned char)size;
    if (i % 50000 == 0) copse_trim();
    if (i % 1000 == 0) copse_checkpoint();
  }
  for (unsigned at = 0; at < N; at++)
    if (held[at].p) copse_inline_free(held[at].p, held[at].size);
  return NULL;
}

FRESH(both_kinds_in_many_threads) {
  pthread_t threads[3];
  for (uintptr_t i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, mix, (void *)i) == 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(classes_agree),
    cmocka_unit_test(every_size_as_by_the_functions),
    cmocka_unit_test(slots_are_counted_by_their_addresses),
    cmocka_unit_test(constant_sizes),
    cmocka_unit_test(constant_sizes_of_what_was_moved),
    cmocka_unit_test(constant_sizes_of_what_was_aligned),
    cmocka_unit_test(a_threads_first_call),
    cmocka_unit_test(the_first_call_of_all),
    cmocka_unit_test(both_kinds_in_many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
