/* SPDX-License-Identifier: MIT */
/* What copse.h says of copse_realloc and of batches, and of all requests that the system refuses. */
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

/* ---- batches ---- */

FRESH(batches_are_many_single_calls) {
  enum { N = 5000 };
  static void *p[N + 1];
  static const size_t sizes[] = {0, 1, 16, 100, 1000, 5000, 70000, 1 << 20, 3 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t n = sizes[i] > 5000 ? 30 : N;
    p[n] = &p[n];
    CHECK(copse_alloc_batch(sizes[i], n, p) == n && p[n] == &p[n]);
    for (size_t j = 0; j < n; j++) {
      CHECK(p[j] && copse_usable_size(p[j]) >= sizes[i]);
      memset(p[j], (int)j, sizes[i] < 16 ? sizes[i] : 16);
    }
    for (size_t j = 0; j < n; j++) CHECK(!sizes[i] || *(unsigned char *)p[j] == (unsigned char)j);
    /* Both kinds may be mixed, in any order, and `ptrs` itself is only read. */
    uint64_t seed = i + 1;
    random_order(&seed, n, p);
    static void *copy[N];
    memcpy(copy, p, sizeof copy);
    copse_free_batch(sizes[i], n / 2, p);
    CHECK(memcmp(copy, p, sizeof copy) == 0);
    for (size_t j = n / 2; j < n; j++) copse_free(p[j], sizes[i]);
  }
  CHECK(copse_alloc_batch(16, 0, NULL) == 0);
  copse_free_batch(16, 0, NULL);
  balance_empty();
}

/* "less than `n`, with ENOMEM in errno, when memory ran out on the way; those stand in out[0..result) and are live, and the
 * rest of `out` is unchanged." */
static size_t partial(size_t size, size_t n, void *out[]) {
  for (size_t i = 0; i < n; i++) out[i] = out;
  errno = 0;
  size_t got = copse_alloc_batch(size, n, out);
  CHECK(got < n && errno == ENOMEM);
  struct live live = {{0}};
  for (size_t i = 0; i < got; i++) {
    CHECK(out[i] != (void *)out);
    memset(out[i], (int)i, size);
    live_add(&live, out[i]);
  }
  for (size_t i = got; i < n; i++) CHECK(out[i] == (void *)out);
  for (size_t i = 0; i < got; i++) CHECK(*(unsigned char *)out[i] == (unsigned char)i);
  balance(&live);
  return got;
}

FRESH(a_batch_that_the_system_cuts_short) {
  enum { N = 40000 };
  static void *p[N];
  static const size_t sizes[] = {16, 256, 5000, 81920, 3 << 20};
  copse_free(copse_alloc(1), 1); /* started */
  vm_faults_install();
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    /* Under valgrind all spans have a few hundred MB. */
    size_t n = sizes[i] <= 5000 ? N : UNDER_VALGRIND ? 60 : 300, got = 0;
    for (u64 step = 1; step < 6; step++) {
      vm_faults_fail_from(VM_ANY, step);
      got = partial(sizes[i], n, p);
      vm_faults_fail_none();
      copse_free_batch(sizes[i], got, p);
      copse_trim();
    }
    CHECK(copse_alloc_batch(sizes[i], n, p) == n); /* and it works again */
    copse_free_batch(sizes[i], n, p);
    figure("served before the fifth call failed", "%zu of %zu bytes", got, sizes[i]);
  }
  balance_empty();
}

FRESH(a_batch_that_the_limit_cuts_short) {
  enum { N = 4000 };
  static void *p[N];
  CHECK(copse_tune_set("limit", 16 << 20) == 0);
  size_t got = partial(8192, N, p);
  CHECK(got * 8192 <= 16 << 20 && got * 8192 > 12 << 20);
  copse_free_batch(8192, got, p);
  figure("8 KB objects under a limit of 16 MB", "%zu of %d", got, 16 << 7);
  balance_empty();
}

/* What lies in a cache serves every kind of request before memory is said to be out. */
FRESH(at_the_limit_caches_serve_zeroed_requests) {
  enum { SIZE = 20000, N = 4000 };
  static void *p[N];
  CHECK(copse_tune_set("limit", 8 << 20) == 0);
  size_t n = copse_alloc_batch(SIZE, N, p);
  CHECK(n > 100 && n < N);
  for (size_t some = 1; some < n; some += 7) {
    for (size_t i = 0; i < some; i++) copse_free(p[i], SIZE);
    for (size_t i = 0; i < some; i++) {
      CHECK((p[i] = copse_alloc_zeroed(SIZE)));
      memset(p[i], 1, 100);
    }
  }
  copse_free_batch(SIZE, n, p);
  balance_empty();
}

/* ---- every request, with call after call refused ---- */

/* One of each; what is refused is so with ENOMEM.  Returns whether all were served. */
static bool one_of_each(void) {
  static const size_t sizes[] = {16, 1000, 5000, 70000, 1 << 20, 5 << 20};
  enum { SIZES = sizeof sizes / sizeof *sizes, EACH = 4, N = SIZES * EACH };
  void *p[N];
  size_t held[N];
  unsigned n = 0;
  bool all = true;
  for (unsigned i = 0; i < SIZES; i++)
    for (unsigned way = 0; way < EACH; way++) {
      errno = 0;
      void *q = way == 0   ? copse_alloc(sizes[i])
                : way == 1 ? copse_alloc_zeroed(sizes[i])
                : way == 2 ? copse_alloc_aligned(sizes[i], 4096)
                           : copse_alloc(16);
      if (way == 3 && q) {
        errno = 0;
        void *r = copse_realloc(q, 16, sizes[i]);
        if (r)
          q = r;
        else {
          CHECK(errno == ENOMEM);
          all = false;
          copse_free(q, 16);
          continue;
        }
      }
      if (!q) {
        CHECK(errno == ENOMEM);
        all = false;
        continue;
      }
      if (way == 1) CHECK(*(char *)q == 0 && ((char *)q)[sizes[i] - 1] == 0);
      memset(q, 0x5A, sizes[i]);
      held[n] = sizes[i];
      p[n++] = q;
    }
  for (unsigned i = 0; i < n; i++) CHECK(((char *)p[i])[held[i] - 1] == 0x5A);
  for (unsigned i = 0; i < n; i++) copse_free_unsized(p[i]);
  copse_trim();
  return all;
}

/* "a failed request returns NULL and sets errno to ENOMEM; failure is never sticky".  Each in a process of its own, from the
 * very first call on: the start itself is refused too, and tried again. */
static u64 refused_call;
static bool refused_later;

static void one_refusal(void) {
  vm_faults_install();
  refused_later ? vm_faults_fail_from(VM_ANY, refused_call) : vm_faults_fail(VM_ANY, refused_call);
  bool all = one_of_each();
  bool came = vm_faults.failed != 0;
  CHECK(all || came);
  vm_faults_fail_none();
  CHECK(one_of_each());
  copse_thread_flush();
  balance_empty();
  fflush(NULL);
  _exit(!came ? 100 : all ? 101 : 102);
}

static void each_call_refused(bool later) {
  unsigned calls = 0, noticed = 0;
  refused_later = later;
  for (refused_call = 1;; refused_call += UNDER_TSAN ? 7 : 1) {
    int status = process_status(one_refusal);
    assert_true(WIFEXITED(status));
    status = WEXITSTATUS(status);
    if (status == 100) break;
    assert_in_range(status, 101, 102);
    calls++;
    noticed += status == 102;
  }
  assert_true(calls > 5);
  /* Once refused is once more tried, in the instrumented library, behind the quarantine's flush. */
  assert_true(noticed > 0 || (INSTRUMENTED && !later));
  figure(later ? "calls from which on all are refused" : "calls refused one by one", "%u, noticed by a request: %u", calls,
         noticed);
}

static void each_call_refused_once(void **state) {
  (void)state;
  each_call_refused(false);
}

static void all_calls_refused_from_each_on(void **state) {
  (void)state;
  each_call_refused(true);
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
    cmocka_unit_test(batches_are_many_single_calls),
    cmocka_unit_test(a_batch_that_the_system_cuts_short),
    cmocka_unit_test(a_batch_that_the_limit_cuts_short),
    cmocka_unit_test(at_the_limit_caches_serve_zeroed_requests),
    cmocka_unit_test(each_call_refused_once),
    cmocka_unit_test(all_calls_refused_from_each_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
