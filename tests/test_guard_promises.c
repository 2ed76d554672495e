/* SPDX-License-Identifier: MIT */
/*
 * The guard on its good days: what copse.h promises of memory that has a redzone, what is held back and given way, and what is
 * said of copse's own metadata and at exit.
 */
#include "balance.h"
#include "tunables.h"
#include "vm_faults.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#if INSTRUMENTED
#include "annotate.h"
#include "guard.h"
#include "report_place.h"
#include "side.h"

static void *volatile hide;

/* ---- what is handed out ---- */

FRESH(promises_hold_with_a_redzone) {
  for (size_t size = 0; size <= 5000; size++) {
    char *p = copse_alloc(size), *q = copse_alloc_zeroed(size);
    CHECK(p && q && (uptr)p % 16 == 0 && copse_usable_size(p) == (size ? size : 1) && copse_good_size(size) == (size ? size : 1));
    if (size && size <= 4096 && is_power_of_two(size)) CHECK((uptr)p % size == 0 && (uptr)q % size == 0);
    for (size_t i = 0; i < size; i++) CHECK(q[i] == 0);
    struct place place = copse_place_of(p);
    CHECK(place.start == p && place.room >= size + REDZONE && place.side->alloc_thread == copse_side_thread());
    memset(q, 1, size);
    copse_free(p, size);
    copse_free(q, size);
  }
  balance_empty();
}

FRESH(resizing_moves_and_keeps_the_contents) {
  static const size_t sizes[] = {1, 30, 500, 5000, 70000, 1 << 20, 3 << 20};
  for (unsigned i = 0; i < 7; i++)
    for (unsigned k = 0; k < 7; k++) {
      size_t least = sizes[i] < sizes[k] ? sizes[i] : sizes[k];
      unsigned char *p = copse_alloc(sizes[i]);
      memset(p, 77, sizes[i]);
      unsigned char *q = copse_realloc(p, sizes[i], sizes[k]);
      CHECK(q && q != p && copse_usable_size(q) == sizes[k]);
      CHECK(q[0] == 77 && q[least / 2] == 77 && q[least - 1] == 77);
      copse_free(q, sizes[k]);
    }
  balance_empty();
}

/* ---- the quarantine, and memory that is short ---- */

/* A trim returns what went back, and so does one that lets spans go from the quarantine to a cache that has no room for them. */
FRESH(spans_that_were_held_back_are_bytes_of_the_trim) {
  static struct copse_stats before, after;
  copse_tune_set("span_cache", 0);
  for (unsigned i = 0; i < 3; i++) {
    void *p = copse_alloc((size_t)5 << 20);
    CHECK(p);
    copse_free(p, (size_t)5 << 20);
    copse_stats(&before);
    size_t bytes = copse_trim();
    copse_stats(&after);
    CHECK(bytes >= (size_t)5 << 20 && bytes == after.decommitted - before.decommitted && after.in_use == 0);
  }
}

FRESH(freed_ones_are_held_back) {
  copse_tune_set("quarantine", 100 * 128);
  unsigned class = class_of_request(100);
  static struct copse_stats stats;
  void *first = copse_alloc(100);
  copse_free(first, 100);
  for (unsigned i = 0; i < 500; i++) {
    void *p = copse_alloc(100);
    /* Not before a hundred others were freed. */
    if (i < 99) CHECK(p != first);
    copse_free(p, 100);
    copse_stats(&stats);
    u64 most = 100 * 128 / class_size(class);
    CHECK(stats.classes[class].quarantined == min_u64(i + 2, most));
  }
  balance_empty();
  copse_trim();
  copse_stats(&stats);
  CHECK(stats.classes[class].quarantined == 0);
  balance_empty();
}

/* What is held back is not missing where memory is short. */
FRESH(the_quarantine_gives_way_before_enomem) {
  copse_tune_set("quarantine", (u64)1 << 30);
  copse_tune_set("limit", 16 << 20);
  for (unsigned i = 0; i < 100; i++) {
    static const size_t sizes[] = {12 << 20, 100000, 1000};
    size_t size = sizes[i % 3];
    unsigned n = (unsigned)((12 << 20) / size);
    static void *p[20000];
    if (n > 8000) n = 8000;
    for (unsigned k = 0; k < n; k++) {
      errno = 5;
      CHECK((p[k] = copse_alloc(size)) && errno == 5);
    }
    copse_free_batch(size, n, p);
  }
  CHECK(!copse_alloc(17 << 20) && errno == ENOMEM);
  balance_empty();
}

/* Nor is what a class had and does not use, where the system counts it against a span. */
FRESH(a_span_may_have_what_a_class_had) {
  enum { SIZE = 8000, SPAN = 90 << 20 };
  struct rlimit data = {200 << 20, 200 << 20};
  copse_free(copse_alloc(1), 1);
  if (copse_tools) {
    left_out("a tool has more data than that");
    return;
  }
  CHECK(setrlimit(RLIMIT_DATA, &data) == 0);
  void **list = NULL, **p;
  size_t n = 0;
  for (; (p = copse_alloc(SIZE)); list = p, n++) *p = list;
  CHECK(n > (size_t)SPAN / SIZE && !copse_alloc(SPAN));
  for (; list; list = p) {
    p = *list;
    copse_free(list, SIZE);
  }
  char *span = copse_alloc(SPAN);
  CHECK(span);
  span[0] = span[SPAN - 1] = 1;
  copse_free(span, SPAN);
  balance_empty();
}

static u64 refused_call;
static bool refused_on;
static bool some_of_each(void) {
  static const size_t sizes[] = {20, 600, 5000, 50000, 1 << 20, 3 << 20};
  bool all = true;
  for (unsigned i = 0; i < 6; i++) {
    errno = 0;
    char *p = copse_alloc(sizes[i]), *q = copse_alloc_zeroed(sizes[i]), *r = copse_alloc_aligned(sizes[i], 128);
    CHECK(errno == (p && q && r ? 0 : ENOMEM));
    all = all && p && q && r;
    if (p) {
      memset(p, 1, sizes[i]);
      char *moved = copse_realloc(p, sizes[i], sizes[i] / 2 + 1);
      all = all && moved;
      if (moved) copse_free(moved, sizes[i] / 2 + 1);
      else CHECK(copse_usable_size(p) == sizes[i] && p[sizes[i] - 1] == 1), copse_free(p, sizes[i]);
    }
    if (q) copse_free(q, sizes[i]);
    if (r) copse_free_aligned(r, sizes[i], 128);
  }
  return all;
}

static void refused(void) {
  vm_faults_install();
  refused_on ? vm_faults_fail_from(VM_ANY, refused_call) : vm_faults_fail(VM_ANY, refused_call);
  bool all = some_of_each();
  copse_trim();
  bool came = vm_faults.failed != 0;
  vm_faults_fail_none();
  CHECK(all || came);
  CHECK(some_of_each()); /* and not for good */
  copse_trim();
  balance_empty();
  fflush(NULL);
  _exit(came ? 101 : 100);
}

/* From the first call on, one by one and all from each on: NULL and ENOMEM, and nothing is lost. */
static void every_call_refused(void **state) {
  (void)state;
  for (int on = 0; on < 2; on++)
    for (refused_call = 1, refused_on = on;; refused_call += UNDER_SANITIZER ? 5 : 1) {
      int status = process_status(refused);
      if (!WIFEXITED(status)) fail_msg("call %u: status %#x", (unsigned)refused_call, (unsigned)status);
      if (WEXITSTATUS(status) == 100) break;
      assert_int_equal(WEXITSTATUS(status), 101);
      assert_true(refused_call < 2000);
    }
}

/* ---- metadata ---- */

static void corrupt_and(void (*what)(void)) {
  void *p = copse_alloc(100);
  if (!freopen("/dev/null", "w", stderr)) _exit(3);
  copse_free(p, 100);
  copse_pools[7].first->words[3] ^= 1; /* as a stray write would */
  what();
}
static void trim(void) { copse_trim(); }
static void corrupt_and_trim(void) { corrupt_and(trim); }
static void flush_often(void) {
  for (unsigned i = 0; i < COPSE_CLASSES; i++) copse_thread_flush();
}
static void corrupt_and_flush(void) { corrupt_and(flush_often); }

static void corrupted_metadata_is_seen(void **state) {
  (void)state;
  int status = process_status(corrupt_and_trim);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  status = process_status(corrupt_and_flush);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- leaks at exit ---- */

static int ready[2];
/* As one that waits for input. */
static void *has_a_stream(void *unused) {
  flockfile(stdin);
  if (write(ready[1], "", 1) == 1) pause();
  return unused;
}

static int leak_status_beside(const char *leaks, bool leak, void *(*beside)(void *)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(3);
    copse_tune_set("leaks", (u64)(*leaks - '0'));
    hide = copse_alloc(100);
    if (!leak) copse_free(hide, 100);
    pthread_t thread;
    if (beside && (pipe(ready) != 0 || pthread_create(&thread, NULL, beside, NULL) != 0 || read(ready[0], &(char){0}, 1) != 1)) _exit(3);
    alarm(20);
    exit(5);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int leak_status(const char *leaks, bool leak) { return leak_status_beside(leaks, leak, NULL); }

static void leaks_at_exit(void **state) {
  (void)state;
  assert_int_equal(leak_status("0", true), 5);
  assert_int_equal(leak_status("1", true), 5);
  assert_int_equal(leak_status("2", true), 23);
  assert_int_equal(leak_status("2", false), 5);
}

static void leaks_at_exit_while_a_thread_has_a_stream(void **state) {
  (void)state;
  /* Where the C library waits for the stream itself, as musl does, there is no end without leaks either. */
  if (leak_status_beside("0", true, has_a_stream) != 5) skip();
  assert_int_equal(leak_status_beside("2", true, has_a_stream), 23);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(promises_hold_with_a_redzone),
    cmocka_unit_test(resizing_moves_and_keeps_the_contents),
    cmocka_unit_test(spans_that_were_held_back_are_bytes_of_the_trim),
    cmocka_unit_test(freed_ones_are_held_back),
    cmocka_unit_test(the_quarantine_gives_way_before_enomem),
    cmocka_unit_test(a_span_may_have_what_a_class_had),
    cmocka_unit_test(every_call_refused),
    cmocka_unit_test(corrupted_metadata_is_seen),
    cmocka_unit_test(leaks_at_exit),
    cmocka_unit_test(leaks_at_exit_while_a_thread_has_a_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release checks nothing");
  return 0;
}

#endif
