/* SPDX-License-Identifier: MIT */
/*
 * Where the system gives less: overcommit 2, RLIMIT_AS, RLIMIT_DATA, mlockall.  Each in a process of its own; what is the whole
 * system's is changed only where that is allowed, and for a moment.
 */
#include "balance.h"
#include "resident.h"
#include "setting.h"
#include "beneath.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* What is reserved where nothing limits it: 16 TB, by the instrumented library 1 TB. */
#define WHOLE (INSTRUMENTED ? (uint64_t)1 << 40 : (uint64_t)(CLASS_REGIONS + OTHER_REGIONS) << REGION_BITS_MAX_ARENAS)

#define MB ((size_t)1 << 20)
#define GB ((size_t)1 << 30)
#define OVERCOMMIT "/proc/sys/vm/overcommit_memory"

static void set_limit(int what, size_t bytes) {
  struct rlimit limit = {bytes, bytes};
  CHECK(setrlimit(what, &limit) == 0);
}

static uint64_t reserved(void) {
  static struct copse_stats stats;
  copse_stats(&stats);
  return stats.reserved;
}

/* Allocates until it is refused, which must be with ENOMEM; writes to all of it.  The list is in the objects. */
static void *take_all(size_t size, size_t *n) {
  void *list = NULL;
  *n = 0;
  errno = 0;
  for (void **p; (p = copse_alloc(size)); list = p, ++*n) {
    ((char *)p)[size - 1] = 1;
    *p = list;
  }
  CHECK(errno == ENOMEM);
  return list;
}

static void free_all(void *list, size_t size) {
  while (list) {
    void *next = *(void **)list;
    copse_free(list, size);
    list = next;
  }
}

/* ---- RLIMIT_AS: `ulimit -v` of 4 GB ---- */

FRESH(little_address_space) {
  if (UNDER_SANITIZER) {
    left_out("a sanitizer wants terabytes");
    return;
  }
  set_limit(RLIMIT_AS, 4 * GB);
  size_t n, again, large, spans;
  void *list = take_all(8192, &n);
  CHECK(reserved() >= 1 * GB && reserved() < 4 * GB);
  CHECK(n * 8192 > region_size()); /* beyond its own region it borrows */
  free_all(list, 8192);
  copse_trim();
  list = take_all(8192, &again);
  CHECK(again == n);
  free_all(list, 8192);
  list = take_all(MB, &large);
  free_all(list, MB);
  list = take_all(3 * MB, &spans);
  CHECK(large > 0 && spans > 0);
  free_all(list, 3 * MB);
  CHECK(!copse_alloc(8 * GB) && errno == ENOMEM);
  copse_free(copse_alloc(100), 100);
  balance_empty();
  figure("RLIMIT_AS of 4096 MB: reserved, a region, served as 8 KB, as 1 MB, as 3 MB", "%zu, %zu, %zu, %zu, %zu MB",
         (size_t)reserved() / MB, (size_t)region_size() / MB, n * 8192 / MB, large, 3 * spans);
}

FRESH(no_address_space_at_all) {
  if (UNDER_SANITIZER) {
    left_out("a sanitizer wants terabytes");
    return;
  }
  set_limit(RLIMIT_AS, 60 * MB); /* less than the least reservation */
  errno = 0;
  CHECK(!copse_alloc(10) && errno == ENOMEM);
  CHECK(!copse_alloc(10 * MB) && !copse_alloc_aligned(10, 64) && !copse_alloc_zeroed(20000) && !copse_realloc(NULL, 0, 5));
  CHECK(copse_trim() == 0 && reserved() == 0);
}

/* What is wrong with COPSE_OPTIONS is said once, however often the start is refused. */
FRESH(a_start_that_is_refused_complains_once) {
  if (UNDER_SANITIZER || !INSTRUMENTED) {
    left_out("a sanitizer wants terabytes, and release reads no options");
    return;
  }
  char said[1000];
  int pipes[2];
  CHECK(setenv("COPSE_OPTIONS", "nonsense=1", 1) == 0 && pipe(pipes) == 0 && dup2(pipes[1], STDERR_FILENO) >= 0);
  struct rlimit before, little = {60 * MB, RLIM_INFINITY};
  CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  little.rlim_max = before.rlim_max;
  CHECK(setrlimit(RLIMIT_AS, &little) == 0);
  for (int i = 0; i < 3; i++) CHECK(!copse_alloc(10));
  CHECK(setrlimit(RLIMIT_AS, &before) == 0);
  void *p = copse_alloc(10);
  CHECK(p);
  copse_free(p, 10);
  ssize_t n = read(pipes[0], said, sizeof said);
  static const char line[] = "copse: COPSE_OPTIONS: no such parameter: nonsense=1\n";
  CHECK(n == (ssize_t)sizeof line - 1 && memcmp(said, line, (size_t)n) == 0);
}

/* ---- RLIMIT_DATA ---- */

FRESH(little_data) {
  if (UNDER_SANITIZER) {
    left_out("a sanitizer has more data than that");
    return;
  }
  set_limit(RLIMIT_DATA, 200 * MB);
  size_t n, again, other;
  void *list = take_all(8192, &n);
  CHECK(n * 8192 > 150 * MB && n * 8192 < 200 * MB && reserved() == WHOLE);
  free_all(list, 8192);
  copse_trim();
  list = take_all(8192, &again);
  CHECK(again == n); /* "failure is never sticky" */
  free_all(list, 8192);
  copse_trim();
  if (INSTRUMENTED) {
    left_out("the instrumented library's records are data too, and stay");
    return;
  }
  /* What one class had, and has no more, any other may have: without a trim, too. */
  static const size_t sizes[] = {400, 64, MB, 5000, 100 * MB, 1000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    list = take_all(sizes[i], &other);
    figure("RLIMIT_DATA of 200 MB: then served", "%zu MB as %zu bytes", other * sizes[i] / MB, sizes[i]);
    CHECK(other * sizes[i] > (sizes[i] > MB ? 90 : 130) * MB);
    free_all(list, sizes[i]);
    if (i % 2) copse_trim();
    balance_empty();
  }
  figure("RLIMIT_DATA of 200 MB: served as 8 KB, and again", "%zu, %zu MB", n * 8192 / MB, again * 8192 / MB);
}

/* ---- overcommit 2 ---- */

static long accounting_before;

static void strict_accounting_body(void) {
  CHECK(setting_write(OVERCOMMIT, 2));
  CHECK(copse_tune_set("huge", 0) == 0); /* explicit huge pages are accounted apart */
  enum { N = 200 };
  static void *p[N];
  for (unsigned i = 0; i < N; i++) CHECK((p[i] = memset(copse_alloc(i * 5000 + 16), 1, i * 5000 + 16)));
  CHECK(reserved() == WHOLE);
  /* What would go beyond the system's limit is refused, and nothing else is. */
  size_t limit = (size_t)setting_meminfo("CommitLimit");
  CHECK(limit > 0);
  errno = 0;
  void *beyond = copse_alloc(limit + GB);
  if (setting_read(OVERCOMMIT) != 2) {
    left_out("somebody else changes the system's accounting");
    return;
  }
  CHECK(!beyond && errno == ENOMEM);
  void *q = copse_alloc(MB);
  CHECK(q);
  copse_free(q, MB);
  for (unsigned i = 0; i < N; i++) copse_free(p[i], i * 5000 + 16);
  copse_trim();
  balance_empty();
  setting_write(OVERCOMMIT, accounting_before); /* here too, in case the parent is ended meanwhile */
  figure("overcommit 2: reserved, the system's limit", "%zu GB, %zu MB", (size_t)reserved() / GB, limit / MB);
}

static void strict_accounting(void **state) {
  (void)state;
  if (UNDER_SANITIZER) {
    left_out("a sanitizer has more memory than that");
    return;
  }
  int lock = setting_lock_within(OVERCOMMIT, 60);
  if (lock < 0) {
    left_out("others want the system's accounting as it is, for a minute and longer");
    return;
  }
  long before = setting_read(OVERCOMMIT);
  if (setting_meminfo("Committed_AS") + GB > setting_meminfo("CommitLimit")) {
    left_out("others have been promised what there is");
    setting_unlock(lock);
    return;
  }
  if (before < 0 || !setting_write(OVERCOMMIT, before)) {
    left_out("the system's accounting cannot be changed here");
    setting_unlock(lock);
    return;
  }
  accounting_before = before;
  setting_guard(OVERCOMMIT, before);
  int status = process_status(strict_accounting_body);
  bool restored = setting_write(OVERCOMMIT, before);
  setting_unguard();
  setting_unlock(lock);
  assert_true(restored);
  assert_int_equal(status, 0);
}

/* ---- mlockall ---- */

enum { LOCK_LIMIT = 600, NOBODY = 65534 };

/* Under a limit that holds, for root has none: of 600 MB, or what there is.  Returns it, 0 where it cannot be set. */
static size_t become_limited(void) {
  struct rlimit limit = {LOCK_LIMIT * MB, LOCK_LIMIT * MB};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 && getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
  if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) return 0;
  return limit.rlim_cur < GB ? limit.rlim_cur : 0;
}

static void use_locked_memory(size_t bytes) {
  enum { SIZE = 8192, MOST = 8000 };
  static unsigned char *p[MOST];
  size_t n = bytes / SIZE;
  for (int round = 0; round < 2; round++) {
    for (unsigned i = 0; i < n; i++) {
      p[i] = i & 1 ? copse_alloc_zeroed(SIZE) : copse_alloc(SIZE);
      CHECK(p[i]);
      for (unsigned at = 0; at < SIZE; at += 512) {
        CHECK(!(i & 1) || p[i][at] == 0);
        p[i][at] = 1;
      }
    }
    for (unsigned i = 0; i < n; i++) copse_free(p[i], SIZE);
    size_t before = resident();
    size_t given = copse_trim();
    figure("mlockall: freed, given back, resident before and after", "%zu, %zu, %zu, %zu KB", bytes >> 10, given >> 10,
           before >> 10, resident() >> 10);
    /* MADV_DONTNEED_LOCKED came with Linux 5.18; without it locked memory stays. */
    if (given) CHECK(given >= bytes / 8 * 7 && resident() < before - bytes / 8 * 6);
  }
  balance_empty();
}

/* The lock counts the reservation: under a limit it cannot be had with the default one. */
FRESH(the_lock_counts_the_reservation) {
  size_t limit = UNDER_SANITIZER ? 0 : become_limited();
  if (!limit) {
    left_out("locked memory is not limited here");
    return;
  }
  copse_free(copse_alloc(1), 1);
  CHECK(reserved() == WHOLE);
  CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == -1 && (errno == ENOMEM || errno == EAGAIN));
  copse_free(copse_alloc(100000), 100000);
  balance_empty();
}

FRESH(with_a_small_reserve_memory_can_be_locked) {
  struct rlimit limit = {LOCK_LIMIT * MB, LOCK_LIMIT * MB};
  bool limited = !UNDER_SANITIZER && setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && become_limited() > 0;
  if (UNDER_SANITIZER || (!limited && geteuid() != 0)) {
    left_out("not enough memory may be locked here");
    return;
  }
  CHECK(copse_tune_set("reserve", 256 * MB) == 0);
  copse_free(copse_alloc(1), 1);
  CHECK(reserved() == 256 * MB);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    CHECK(!limited);
    left_out("not enough memory may be locked here");
    return;
  }
  figure("mlockall with a reservation of 256 MB, under a limit", "%s", limited ? "of 600 MB" : "none");
  use_locked_memory(6 * MB);
}

FRESH(a_lock_before_the_first_allocation) {
  size_t limit = UNDER_SANITIZER ? 0 : become_limited();
  if (!limit || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    left_out("memory cannot be locked here under a limit");
    return;
  }
  /* The reservation is halved until the limit has room for it; where not even the least has, there is no memory. */
  errno = 0;
  void *p = copse_alloc(1000);
  CHECK(p ? reserved() <= limit : errno == ENOMEM && reserved() == 0);
  CHECK(p || limit < 200 * MB);
  figure("mlockall before the start: limit, reserved", "%zu, %zu MB", limit / MB, (size_t)reserved() / MB);
  if (p) copse_free(p, 1000);
  copse_trim();
  balance_empty();
}

FRESH(root_may_lock_it_all) {
  if (UNDER_SANITIZER || geteuid() != 0) {
    left_out("only root has no limit");
    return;
  }
  copse_free(copse_alloc(1), 1);
  CHECK(reserved() == WHOLE);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    left_out("this root may not");
    return;
  }
  use_locked_memory(62 * MB);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(little_address_space),
    cmocka_unit_test(no_address_space_at_all),
    cmocka_unit_test(a_start_that_is_refused_complains_once),
    cmocka_unit_test(little_data),
    cmocka_unit_test(strict_accounting),
    cmocka_unit_test(the_lock_counts_the_reservation),
    cmocka_unit_test(with_a_small_reserve_memory_can_be_locked),
    cmocka_unit_test(a_lock_before_the_first_allocation),
    cmocka_unit_test(root_may_lock_it_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
