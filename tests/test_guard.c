/* SPDX-License-Identifier: MIT */
/*
 * The guard: every misuse it is to find, each named by function and words, and what is left as it was when a handler lets
 * the program go on.  Where a tool watches the bytes, the guard leaves them to it.
 */
#include "balance.h"
#include "tunables.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

#if INSTRUMENTED
#include "guard.h"
#include "guard_bytes.h"
#include "side.h"

static void *volatile hide;
static void *hidden_pointer(void *p) {
  hide = p;
  return hide;
}

/* ---- misuse, with a handler that goes on ---- */

static struct copse_misuse last;
static unsigned found;
static void note(const struct copse_misuse *misuse, void *context) {
  (void)context;
  last = *misuse;
  found++;
}

/* Reports go nowhere: what they say is test_report's. */
static void begin(void) {
  if (!freopen("/dev/null", "w", stderr)) _exit(3);
  copse_on_misuse(note, NULL);
}

/* Canary and pattern are there where no tool is. */
static bool begin_bytes(void) {
  begin();
  copse_free(copse_alloc(1), 1);
  if (!bytes_unwatched()) left_out("a tool watches the bytes");
  return bytes_unwatched();
}

/* The statement is one misuse, found by the function and said so. */
#define MISUSED(statement, function_, what_, pointer_, size_, asked_) \
  do { \
    unsigned before_ = found; \
    statement; \
    if (found != before_ + 1) printf("# %d: found %u\n", __LINE__, found - before_), fflush(stdout); \
    CHECK(found == before_ + 1); \
    if (strcmp(last.what, what_) != 0 || strcmp(last.function, function_) != 0) \
      printf("# %d: %s: %s\n", __LINE__, last.function, last.what), fflush(stdout); \
    CHECK(strcmp(last.function, function_) == 0 && strcmp(last.what, what_) == 0); \
    CHECK(last.pointer == (const void *)(pointer_) && last.size == (size_t)(size_) && last.asked == (size_t)(asked_)); \
  } while (0)

#define NEVER "a pointer that copse never handed out"
#define INNER "not the start of an allocation"
#define SIZE "not the size asked for"
#define ALIGNMENT "not the alignment asked for"
#define FREED "freed before"
#define BEYOND "written beyond its end"
#define AFTER "written after free"

/* UndefinedBehaviorSanitizer would report these calls itself. */
__attribute__((no_sanitize("undefined"))) static void null_where_it_is_excluded_body(void);
FRESH(null_where_it_is_excluded) {
  begin();
  void *volatile null = NULL;
  MISUSED(copse_free(null, 10), "copse_free", "a NULL pointer", NULL, 10, 0);
  MISUSED(copse_free_unsized(null), "copse_free_unsized", "a NULL pointer", NULL, 0, 0);
  MISUSED(copse_free_aligned(null, 10, 64), "copse_free_aligned", "a NULL pointer", NULL, 10, 0);
  MISUSED(CHECK(copse_usable_size(null) == 0), "copse_usable_size", "a NULL pointer", NULL, 0, 0);
  MISUSED(CHECK(!copse_realloc(null, 10, 20)), "copse_realloc", "a NULL pointer", NULL, 10, 0);
  MISUSED(CHECK(!copse_realloc(null, SIZE_MAX, 20)), "copse_realloc", "a NULL pointer", NULL, SIZE_MAX, 0);
  MISUSED(CHECK(copse_alloc_batch(10, 2, null) == 0), "copse_alloc_batch", "a NULL pointer", NULL, 0, 0);
  MISUSED(copse_free_batch(10, 2, null), "copse_free_batch", "a NULL pointer", NULL, 0, 0);
  MISUSED(copse_stats(null), "copse_stats", "a NULL pointer", NULL, 0, 0);
  MISUSED(CHECK(copse_stats_json(null, 10) == 0), "copse_stats_json", "a NULL pointer", NULL, 0, 0);
  int (*volatile visit)(const struct copse_block *, size_t, void *) = NULL;
  MISUSED(CHECK(copse_heap_walk(visit, null) == 0), "copse_heap_walk", "a NULL pointer", NULL, 0, 0);
  u64 value;
  MISUSED(CHECK(copse_tune_get(null, &value) == EINVAL), "copse_tune_get", "a NULL pointer", NULL, 0, 0);
  MISUSED(CHECK(copse_tune_get("limit", null) == EINVAL), "copse_tune_get", "a NULL pointer", NULL, 0, 0);
  MISUSED(CHECK(copse_tune_set(null, 1) == EINVAL), "copse_tune_set", "a NULL pointer", NULL, 0, 0);
  /* And where it is not. */
  unsigned before = found;
  CHECK(copse_alloc_batch(10, 0, null) == 0 && copse_stats_json(null, 0) > 0);
  copse_free_batch(10, 0, null);
  copse_free(copse_realloc(null, 0, 5), 5);
  CHECK(found == before);
  balance_empty();
}

FRESH(pointers_that_are_none) {
  begin();
  int local;
  static int global;
  int *library = (int *)(uptr)&strlen, *wild = (int *)(uptr)0x1234567890;
  int *foreign[] = {&local, &global, library, wild, (int *)~(uptr)15, (int *)16};
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++) {
      hide = foreign[i]; /* read anew each time: a compiler knows what a free means */
      MISUSED(copse_free(hide, 8), "copse_free", NEVER, foreign[i], 8, 0);
      MISUSED(copse_free_unsized(hide), "copse_free_unsized", NEVER, foreign[i], 0, 0);
      MISUSED(CHECK(copse_usable_size(hide) == 0), "copse_usable_size", NEVER, foreign[i], 0, 0);
      MISUSED(CHECK(!copse_realloc(hide, 8, 80)), "copse_realloc", NEVER, foreign[i], 8, 0);
    }
    /* Before the process's first allocation, and after it. */
    copse_free(copse_alloc(100), 100);
  }
  /* Copse's own: its metadata, memory that nobody had, what is not accessible. */
  char *own[] = {region_base(region_own()) + 4096, region_base(5), pool_address(&copse_pools[class_of_request(100)], 60),
                 pool_address(&copse_pools[40], 3), region_base(region_spans()), region_base(region_spans()) + 4 * GRANULE,
                 region_base(region_spans() + 2) + 99, region_base(59) + region_size() - 16};
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) MISUSED(copse_free(own[i], 8), "copse_free", NEVER, own[i], 8, 0);
  balance_empty();
}

FRESH(inner_pointers) {
  begin();
  char *p = copse_alloc(100), *span = copse_alloc(5 << 20);
  static const size_t inside[] = {1, 8, 16, 64, 99, 100, 111};
  for (unsigned i = 0; i < sizeof inside / sizeof *inside; i++)
    MISUSED(copse_free(p + inside[i], 100), "copse_free", INNER, p + inside[i], 100, 100);
  static const size_t deep[] = {1, 16, 4096, GRANULE, 2 * GRANULE, (5 << 20) - 1, 5 << 20};
  for (unsigned i = 0; i < sizeof deep / sizeof *deep; i++)
    MISUSED(copse_free_unsized(span + deep[i]), "copse_free_unsized", INNER, span + deep[i], 0, 5 << 20);
  copse_free(p, 100);
  copse_free(span, 5 << 20);
  CHECK(found == 14);
  balance_empty();
}

FRESH(sizes_and_alignments) {
  begin();
  static const size_t sizes[] = {1, 16, 17, 100, 1000, 4096, 70000, (1 << 20) - 16, 1 << 20, 3 << 20};
  volatile size_t most = SIZE_MAX;
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t size = sizes[i];
    char *p = copse_alloc(size);
    CHECK(copse_usable_size(p) == size);
    MISUSED(copse_free(p, size + 1), "copse_free", SIZE, p, size + 1, size);
    if (size > 1) MISUSED(copse_free(p, size - 1), "copse_free", SIZE, p, size - 1, size);
    MISUSED(copse_free(p, (size_t)1 << 40), "copse_free", SIZE, p, (size_t)1 << 40, size);
    MISUSED(CHECK(!copse_realloc(p, size + 5, 7)), "copse_realloc", SIZE, p, size + 5, size);
    MISUSED(copse_free_aligned(p, size, 32), "copse_free_aligned", ALIGNMENT, p, size, size);
    MISUSED(copse_free_batch(size + 1, 1, (void *[]){p}), "copse_free_batch", SIZE, p, size + 1, size);
    /* What comes of subtracting too much. */
    MISUSED(copse_free(p, most), "copse_free", SIZE, p, SIZE_MAX, size);
    MISUSED(CHECK(!copse_realloc(p, most, 7)), "copse_realloc", SIZE, p, SIZE_MAX, size);
    MISUSED(copse_free_aligned(p, most, 16), "copse_free_aligned", SIZE, p, SIZE_MAX, size);
    MISUSED(copse_free_aligned(p, size, most), "copse_free_aligned", ALIGNMENT, p, size, size);
    MISUSED(copse_free_aligned(p, size, 0), "copse_free_aligned", ALIGNMENT, p, size, size);
    p[0] = p[size - 1] = 1; /* all the while it is live */
    copse_free(p, size);
  }
  for (size_t alignment = 32; alignment <= (size_t)4 << 20; alignment *= 2) {
    char *p = copse_alloc_aligned(100, alignment);
    CHECK((uptr)p % alignment == 0);
    MISUSED(copse_free(p, 100), "copse_free", "allocated with an alignment: copse_free_aligned frees it", p, 100, 100);
    MISUSED(copse_free_aligned(p, 100, alignment / 2), "copse_free_aligned", ALIGNMENT, p, 100, 100);
    MISUSED(copse_free_aligned(p, 100, alignment * 2), "copse_free_aligned", ALIGNMENT, p, 100, 100);
    MISUSED(copse_free_aligned(p, 100, alignment + 8), "copse_free_aligned", ALIGNMENT, p, 100, 100);
    MISUSED(copse_free_aligned(p, 100, 0), "copse_free_aligned", ALIGNMENT, p, 100, 100);
    MISUSED(copse_free_aligned(p, 101, alignment), "copse_free_aligned", SIZE, p, 101, 100);
    if (alignment & 64) copse_free_unsized(p);
    else copse_free_aligned(p, 100, alignment);
  }
  balance_empty();
}

/* Wherever the slot is by now. */
FRESH(double_frees) {
  begin();
  static const size_t sizes[] = {64, 5000, 3 << 20};
  for (unsigned i = 0; i < 3; i++) {
    size_t size = sizes[i];
    hide = copse_alloc(size); /* read anew each time */
    void *const p = hide;
    copse_free(hide, size);
    for (unsigned where = 0; where < 3; where++) {
      MISUSED(copse_free(hide, size), "copse_free", FREED, p, size, size);
      MISUSED(copse_free_unsized(hide), "copse_free_unsized", FREED, p, 0, size);
      MISUSED(CHECK(!copse_realloc(hide, size, 10)), "copse_realloc", FREED, p, size, size);
      MISUSED(CHECK(!copse_usable_size(hide)), "copse_usable_size", FREED, p, 0, size);
      if (where == 0) copse_guard_flush(); /* from the quarantine to a bundle */
      if (where == 1) copse_trim();        /* and home */
    }
  }
  /* In a recycler, and in another thread's bundle: all that are not in quarantine. */
  enum { N = 3000 };
  static void *p[N];
  copse_tune_set("quarantine", 0);
  CHECK(copse_alloc_batch(40, N, p) == N);
  copse_free_batch(40, N, p);
  for (unsigned i = 0; i < N; i++) MISUSED(copse_free(p[i], 40), "copse_free", FREED, p[i], 40, 40);
  /* Moved away by a realloc. */
  char *old = copse_alloc(10), *new = copse_realloc(old, 10, 11);
  CHECK(new != old);
  MISUSED(copse_free(old, 10), "copse_free", FREED, old, 10, 10);
  copse_free(new, 11);
  /* Twice in a batch: the others are freed. */
  void *batch[3] = {copse_alloc(70), copse_alloc(70), NULL};
  batch[2] = batch[0];
  MISUSED(copse_free_batch(70, 3, batch), "copse_free_batch", FREED, batch[0], 70, 70);
  balance_empty();
}

static void *free_it(void *p) {
  copse_free(p, 48);
  return NULL;
}

/* Of two threads that free it at once, one finds it freed. */
FRESH(two_threads_free_one) {
  begin();
  for (unsigned i = 0; i < 300; i++) {
    void *p = copse_alloc(48);
    pthread_t threads[2];
    for (unsigned t = 0; t < 2; t++) CHECK(pthread_create(&threads[t], NULL, free_it, p) == 0);
    for (unsigned t = 0; t < 2; t++) pthread_join(threads[t], NULL);
    CHECK(found == i + 1);
  }
  balance_empty();
}

/* ---- bytes ---- */

FRESH(overflows) {
  if (!begin_bytes()) return;
  static const size_t sizes[] = {1, 15, 16, 17, 100, 1000, 4095, 4096, 65536, (1 << 20) - 16, 1 << 20, (3 << 20) + 5};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t size = sizes[i];
    static const size_t beyond[] = {0, 1, 7, 15};
    for (unsigned k = 0; k < 4; k++) {
      char *p = copse_alloc(size);
      p[size - 1] = 1;
      char *at = hidden_pointer(p + size + beyond[k]);
      *at ^= 1;
      MISUSED(copse_free(p, size), "copse_free", BEYOND, p, size, size);
      copse_free(p, size); /* said once */
      p = copse_alloc(size);
      at = hidden_pointer(p + size + beyond[k]);
      *at = 0;
      MISUSED(CHECK(!copse_realloc(p, size, 10)), "copse_realloc", BEYOND, p, size, size);
      copse_free_unsized(p);
    }
  }
  /* Before the start of one: in the redzone of the one before it. */
  char *p[8];
  for (unsigned i = 0; i < 8; i++) p[i] = copse_alloc(500);
  for (unsigned i = 1; i < 8; i++) {
    if (p[i] != p[i - 1] + 640) continue;
    *(char *)hidden_pointer(p[i] - 1) = 0;
    MISUSED(copse_free(p[i - 1], 500), "copse_free", BEYOND, p[i - 1], 500, 500);
    break;
  }
  for (unsigned i = 0; i < 8; i++) copse_free(p[i], 500);
  balance_empty();
}

FRESH(writes_after_free) {
  if (!begin_bytes()) return;
  static const size_t sizes[] = {1, 16, 100, 5000, 65000, 1 << 20, 3 << 20};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t size = sizes[i];
    size_t places[] = {0, size / 2 < FILL_MOST ? size / 2 : 5000, size <= FILL_MOST ? size - 1 : FILL_MOST - 1};
    for (unsigned k = 0; k < 3; k++) {
      /* While it is in quarantine. */
      char *p = hidden_pointer(copse_alloc(size));
      copse_free(p, size);
      p[places[k]] = 0;
      MISUSED(copse_guard_flush(), "copse_trim", AFTER, p + places[k], 0, size);
      /* And where it waits to be handed out. */
      p[places[k]] ^= 1;
      unsigned before = found;
      char *q = copse_alloc(size);
      CHECK(q == p && found == before + 1 && strcmp(last.what, AFTER) == 0 && strcmp(last.function, "copse_alloc") == 0);
      copse_free(q, size);
      copse_guard_flush();
      CHECK(found == before + 1);
    }
  }
  balance_empty();
}

/* Pages that were given back read as zero, and that is nobody's fault. */
FRESH(pages_given_back_are_none) {
  begin();
  enum { N = 400 };
  static void *p[N];
  static const size_t sizes[] = {100, 5000, 70000, 3 << 20};
  for (unsigned i = 0; i < 4; i++)
    for (unsigned round = 0; round < 3; round++) {
      unsigned n = sizes[i] > 1 << 20 ? 5 : N;
      for (unsigned k = 0; k < n; k++) memset(p[k] = copse_alloc(sizes[i]), 7, sizes[i]);
      for (unsigned k = 0; k < n; k += 2) copse_free(p[k], sizes[i]);
      copse_trim();
      for (unsigned k = 0; k < n; k += 2) memset(p[k] = copse_alloc(sizes[i]), 8, sizes[i]);
      copse_free_batch(sizes[i], n, p);
      if (round & 1) copse_trim();
    }
  /* Spans that lie where others were. */
  for (size_t size = 2 << 20; size < 40 << 20; size += (3 << 20) + 4096) {
    char *a = copse_alloc(size), *b = copse_alloc_zeroed(size / 3 + (1 << 20));
    memset(a, 1, size);
    copse_free(a, size);
    copse_free(b, size / 3 + (1 << 20));
    copse_guard_flush();
    if (size & GRANULE) copse_trim();
  }
  CHECK(found == 0);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(null_where_it_is_excluded),
    cmocka_unit_test(pointers_that_are_none),
    cmocka_unit_test(inner_pointers),
    cmocka_unit_test(sizes_and_alignments),
    cmocka_unit_test(double_frees),
    cmocka_unit_test(two_threads_free_one),
    cmocka_unit_test(overflows),
    cmocka_unit_test(writes_after_free),
    cmocka_unit_test(pages_given_back_are_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release checks nothing");
  return 0;
}

#endif
