/* SPDX-License-Identifier: MIT */
/* What copse.h says of batches, and of all requests that the system refuses. */
#include "balance.h"
#include "random.h"
#include "vm_faults.h"
#include <errno.h>
#include <string.h>

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
    cmocka_unit_test(batches_are_many_single_calls),
    cmocka_unit_test(a_batch_that_the_system_cuts_short),
    cmocka_unit_test(a_batch_that_the_limit_cuts_short),
    cmocka_unit_test(at_the_limit_caches_serve_zeroed_requests),
    cmocka_unit_test(each_call_refused_once),
    cmocka_unit_test(all_calls_refused_from_each_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
