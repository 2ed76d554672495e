/* SPDX-License-Identifier: MIT */
/* Pages of 1 GB, then of 2 MB, then the system's own, in that order: as requests of the library find them, with a system that
 * pretends, and with the real one where root can set huge pages aside. */
#include "balance.h"
#include "huge_pool.h"
#include "resident.h"
#include "vm_faults.h"
#include "beneath.h"
#include <string.h>
#include <sys/mman.h>

#define MB ((size_t)1 << 20)
#define GB ((size_t)1 << 30)

/* The order in which huge pages were asked for, as one letter each: G 1 GB, M 2 MB; then s: access to the system's own. */
static void order_of(char *order, size_t room, const void *from, size_t length) {
  size_t n = 0;
  u64 calls = vm_faults.calls[VM_ANY] < VM_LOG ? vm_faults.calls[VM_ANY] : VM_LOG;
  for (u64 i = 0; i < calls; i++) {
    const struct vm_record *call = &vm_faults.log[i];
    char letter = 0;
    if (call->kind == VM_MMAP && call->flags & MAP_HUGETLB) letter = ((unsigned)call->flags >> 26 & 63) == 30 ? 'G' : 'M';
    if (call->kind == VM_MPROTECT && (char *)call->address < (char *)from + length &&
        (char *)call->address + call->length > (char *)from)
      letter = 's';
    if (letter && (n == 0 || order[n - 1] != letter) && n + 1 < room) order[n++] = letter;
  }
  order[n] = 0;
}

/* A growth step of 1 GB, or a span of it, on a system with so many huge pages. */
static long gigabytes, megabytes2;
static bool by_span;
static const char *wanted;

static void fall(void) {
  char order[16];
  struct copse_stats before, stats;
  CHECK(copse_tune_set("huge", 2) == 0 && copse_tune_set("growth_max", GB) == 0 && copse_tune_set("growth_min", GB) == 0);
  copse_free(copse_alloc(2 * MB), 2 * MB);
  copse_trim();
  copse_stats(&before);
  vm_faults_install();
  vm_faults.huge_1g = gigabytes;
  vm_faults.huge_2m = megabytes2;
  /* The largest class starts at a multiple of 1 GB; a span does where it asks to. */
  char *p = by_span ? copse_alloc_aligned(GB, GB) : copse_alloc(MB);
  CHECK(p && (uintptr_t)p % GB == 0);
  p[0] = p[MB - 1] = 1;
  copse_stats(&stats);
  stats.huge_1g -= before.huge_1g;
  stats.huge_2m -= before.huge_2m;
  stats.huge_1g_fallbacks -= before.huge_1g_fallbacks;
  stats.huge_2m_fallbacks -= before.huge_2m_fallbacks;
  order_of(order, sizeof order, p, GB);
  figure(by_span ? "span" : "growth step", "%ld of 1 GB, %ld of 2 MB: asked %s, got %zu MB and %zu MB, fell back %zu and %zu times",
         gigabytes, megabytes2, order, (size_t)stats.huge_1g / MB, (size_t)stats.huge_2m / MB, (size_t)stats.huge_1g_fallbacks,
         (size_t)stats.huge_2m_fallbacks);
  CHECK(strcmp(order, wanted) == 0);
  CHECK(stats.huge_1g == (gigabytes ? GB : 0));
  CHECK(stats.huge_1g_fallbacks == (gigabytes == 0));
  /* Where there are too few, most of them are found, by halving. */
  size_t most = gigabytes ? 0 : (size_t)megabytes2 * 2 * MB;
  CHECK(stats.huge_2m <= most && stats.huge_2m >= (megabytes2 < 512 ? most / 10 * 9 : most));
  CHECK(stats.huge_2m_fallbacks == (!gigabytes && megabytes2 < 512));
  if (by_span)
    copse_free_aligned(p, GB, GB);
  else
    copse_free(p, MB);
  copse_trim();
  balance_empty();
}

static void fallbacks_come_in_order(void **state) {
  static const struct {
    long gigabytes, megabytes2;
    const char *wanted;
  } systems[] = {{1, 0, "G"}, {0, 512, "GM"}, {0, 0, "GMs"}, {0, 100, "GMs"}};
  (void)state;
  if (UNDER_TSAN) {
    left_out("the reservation has no room for 1 GB pages");
    return;
  }
  for (unsigned i = 0; i < sizeof systems / sizeof *systems; i++)
    for (int span = 0; span < 2; span++) {
      gigabytes = systems[i].gigabytes;
      megabytes2 = systems[i].megabytes2;
      wanted = systems[i].wanted;
      by_span = span;
      fresh(fall);
    }
}

/* "No call is given up for ever because it failed once": each step asks anew. */
FRESH(each_step_asks_again) {
  CHECK(copse_tune_set("growth_max", 4 * MB) == 0 && copse_tune_set("growth_min", 4 * MB) == 0);
  vm_faults_install(); /* before the first step: there may be real ones that another test has set aside */
  vm_faults.huge_1g = 0;
  vm_faults.huge_2m = 0;
  copse_free(copse_alloc(1), 1);
  enum { N = 64 };
  static void *p[N];
  struct copse_stats stats;
  CHECK(copse_alloc_batch(MB, N / 2, p) == N / 2);
  copse_stats(&stats);
  uint64_t fallbacks = stats.huge_2m_fallbacks;
  CHECK(stats.huge_2m == 0 && fallbacks >= 4);
  vm_faults.huge_2m = 1000; /* somebody has set some aside by now */
  CHECK(copse_alloc_batch(MB, N / 2, p + N / 2) == N / 2);
  copse_stats(&stats);
  CHECK(stats.huge_2m >= 8 * MB && stats.huge_2m_fallbacks == fallbacks);
  figure("explicit huge pages after earlier refusals", "%zu MB, %zu refusals before", (size_t)stats.huge_2m / MB, (size_t)fallbacks);
  copse_free_batch(MB, N, p);
  copse_trim();
  balance_empty();
}

/* "0 never, 1 transparent huge pages, 2 explicit ones first" */
FRESH(the_policy_is_followed) {
  enum { N = 64 };
  static void *p[N];
  copse_free(copse_alloc(1), 1);
  for (uint64_t policy = 0; policy < 3; policy++) {
    struct copse_stats before, after;
    CHECK(copse_tune_set("huge", policy) == 0);
    copse_stats(&before);
    vm_faults_install();
    vm_faults.huge_1g = vm_faults.huge_2m = 1000;
    size_t size = MB >> policy; /* another class each time */
    for (unsigned i = 0; i < N; i++) CHECK((p[i] = copse_alloc(size)));
    copse_stats(&after);
    uint64_t explicit = after.huge_2m + after.huge_1g - before.huge_2m - before.huge_1g;
    CHECK(policy == 2 ? explicit > 0 : explicit == 0);
    if (policy == 0) CHECK(after.huge_advised == before.huge_advised);
    if (policy == 1 && copse_vm_facts.huge) CHECK(after.huge_advised > before.huge_advised);
    figure("policy", "%d: explicit %zu MB, advised %zu MB", (int)policy, (size_t)explicit / MB,
           (size_t)(after.huge_advised - before.huge_advised) / MB);
    vm_faults_remove();
    copse_free_batch(size, N, p);
  }
}

/*
 * What came into memory only because something else on its huge page was touched goes back as well.  Twice: the second time from
 * bare blocks whose huge pages were split.
 */
FRESH(a_trim_leaves_nothing_of_transparent_huge_pages) {
  enum { POOLS = UNDER_SANITIZER ? 8 : 40, FIRST = 6 };
  static void *p[131072];
  CHECK(copse_tune_set("huge", 1) == 0);
  copse_free(copse_alloc(1), 1);
  memset(p, 0, sizeof p);
  size_t base = resident(), peak = 0, after;
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned class = FIRST; class < FIRST + POOLS; class++) {
      size_t size = class_size(class), n = 12 * MB / size;
      for (size_t i = 0; i < n; i++) {
        CHECK((p[i] = copse_alloc(size)));
        *(char *)p[i] = 1;
      }
      if (resident() > peak) peak = resident();
      copse_free_batch(size, n, p);
    }
    copse_trim();
    after = resident();
    figure("resident: base, peak, after the trim", "%zu, %zu, %zu KB", base >> 10, peak >> 10, after >> 10);
    if (!UNDER_SANITIZER) CHECK(after <= base + 4 * MB);
    CHECK(copse_trim() == 0);
  }
  balance_empty();
}

/* ---- for real ---- */

static const char *pool; /* as huge_pool.h names it */
static size_t page, served;
static long set_to;

/* Pages that are neither used nor promised to a mapping. */
static long vacant_pages(void) { return huge_pool_get(pool, "free_hugepages") - huge_pool_get(pool, "resv_hugepages"); }

/* Bytes of explicit huge pages in this process. */
static size_t huge_of_process(void) {
  char line[128];
  unsigned long long kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  CHECK(file);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "HugetlbPages: %llu", &kilobytes) == 1) break;
  fclose(file);
  return kilobytes << 10;
}

static void real_body(void) {
  struct copse_stats stats;
  CHECK(copse_tune_set("growth_max", GB) == 0 && copse_tune_set("growth_min", 16 * MB) == 0);
  size_t bytes = page == GB ? GB : 16 * MB;
  char *span = copse_alloc_aligned(bytes, page == GB ? GB : 2 * MB), *slot = page == GB ? NULL : copse_alloc(MB);
  CHECK(span);
  for (size_t at = 0; at < bytes; at += MB) span[at] = 1;
  if (slot) memset(slot, 1, MB);
  copse_stats(&stats);
  served = page == GB ? stats.huge_1g : stats.huge_2m;
  size_t touched = huge_of_process();
  figure(page == GB ? "1 GB pages for real" : "2 MB pages for real", "%zu MB by copse's count, %zu MB touched by the system's",
         served / MB, touched / MB);
  if (!served && (huge_pool_get(pool, "nr_hugepages") != set_to || vacant_pages() * (long)page < (long)bytes)) {
    left_out("somebody else has taken the huge pages");
    return;
  }
  CHECK(served >= page && touched >= page && touched <= served);
  copse_free_aligned(span, bytes, page == GB ? GB : 2 * MB);
  if (slot) copse_free(slot, MB);
  copse_trim();
  balance_empty();
}

/*
 * What copse(7) says of fork.  With all pages that there are in one span: 24 of them, so the third one of 16 MB has none, or a part.  The
 * child writes to what the parent wrote.
 */
static u64 fork_policy;
static void write_pages(volatile char *p, size_t length, char with) {
  for (size_t at = 0; at < length; at += 4096) p[at] = with;
}
static void forks_body(void) {
  struct copse_stats stats;
  char *span[3];
  CHECK(copse_tune_set("huge", fork_policy) == 0);
  for (unsigned i = 0; i < 3; i++) {
    CHECK((span[i] = copse_alloc_aligned(16 * MB, 2 * MB)));
    write_pages(span[i], 16 * MB, 1);
  }
  copse_stats(&stats);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    signal(SIGBUS, SIG_DFL); /* a sanitizer has a handler */
    for (unsigned i = 0; i < 3; i++) write_pages(span[i], 16 * MB, 2);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (fork_policy == 2) {
    if (!stats.huge_2m || vacant_pages() > 0) {
      left_out("somebody else has taken the huge pages, or given some back");
      return;
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  } else {
    CHECK(stats.huge_2m == 0 && stats.huge_1g == 0);
    CHECK(status == 0);
  }
}

/* Sets `count` pages aside, if that can be had, and does `body`. */
static void real(const char *name, size_t size, long count, void (*body)(void)) {
  if (!huge_pool_grow(name, count)) {
    left_out("such a page cannot be set aside here");
    return;
  }
  pool = name;
  page = size;
  set_to = huge_pool_held.before + count;
  int status = process_status(body);
  bool back = huge_pool_shrink(name);
  assert_int_equal(status, 0);
  assert_true(back);
}

static void real_2m(void **state) {
  (void)state;
  real("2048kB", 2 * MB, 24, real_body);
}

static void real_1g(void **state) {
  (void)state;
  real("1048576kB", GB, 1, real_body);
}

static void a_child_of_fork_ends_by_a_signal_where_huge_is_2(void **state) {
  (void)state;
  fork_policy = 2;
  real("2048kB", 2 * MB, 24, forks_body);
}

static void a_child_of_fork_writes_where_huge_is_1(void **state) {
  (void)state;
  fork_policy = 1;
  real("2048kB", 2 * MB, 24, forks_body);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(fallbacks_come_in_order),
    cmocka_unit_test(each_step_asks_again),
    cmocka_unit_test(the_policy_is_followed),
    cmocka_unit_test(a_trim_leaves_nothing_of_transparent_huge_pages),
    cmocka_unit_test(real_2m),
    cmocka_unit_test(real_1g),
    cmocka_unit_test(a_child_of_fork_ends_by_a_signal_where_huge_is_2),
    cmocka_unit_test(a_child_of_fork_writes_where_huge_is_1),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
