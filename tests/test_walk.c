/* SPDX-License-Identifier: MIT */
/* What copse_heap_walk finds: the sums of copse_stats, and each object once. */
#include "walk_help.h"
#include "worker.h"
#include <pthread.h>
#include <sys/mman.h>

FRESH(nothing_before_the_first_allocation) {
  struct sums s = walk_for(NULL);
  CHECK(s.calls == 0 && copse_regions.base == NULL);
  int fd = memfd_create("walk", 0);
  char text[64] = "", wanted[64];
  snprintf(wanted, sizeof wanted, "copse-heap 1 %lx\nend 0 0\n", (unsigned long)sysconf(_SC_PAGESIZE));
  CHECK(fd >= 0 && copse_heap_write(fd) == 0 && pread(fd, text, sizeof text - 1, 0) > 0 && !strcmp(text, wanted));
  CHECK(copse_regions.base == NULL);
}

FRESH(sums_are_the_statistics) {
  struct worker w[2];
  CHECK(copse_tune_set("arenas", ARENAS_MOST) == 0);
  for (unsigned i = 0; i < 3; i++) loads[i].seed = i + 1;
  fill(&loads[2]);
  equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_start(&w[i]), worker_do(&w[i], fill, &loads[i]);
  figure("arenas", "%u", copse_pools_arenas());
  CHECK(copse_pools_arenas() == min_u64(3, copse_regions.arenas));
  struct sums full = equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_do(&w[i], thin, &loads[i]);
  equal_statistics();
  copse_trim();
  struct sums trimmed = equal_statistics();
  uint64_t bare = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    CHECK(trimmed.blocks[class] == full.blocks[class]);
    bare += trimmed.bare[class];
  }
  CHECK(bare > 0 && full.calls > 20);
  /* Each object once, in a slot that is not free; and what was freed is, once it has gone home. */
  for (unsigned i = 0; i < LESS(OBJECTS); i += 37) {
    struct sums s = walk_for(loads[2].p[i]);
    CHECK(s.seen == 1 && s.live == 1);
  }
  void *gone = loads[2].p[0];
  for (unsigned i = 0; i < 3; i++) drain(&loads[i]);
  copse_trim();
  struct sums s = walk_for(gone);
  CHECK(s.seen == 1 && s.live == 0);
  equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_end(&w[i]);
  balance_empty();
}

/* Of slots below a page and above, more blocks than one call has. */
FRESH(a_pool_of_many_calls) {
  enum { MANY = 64 * 150 };
  static void *p[MANY];
  size_t sizes[] = {40, 5000};
  for (unsigned s = 0; s < 2; s++) {
    unsigned class = class_of_request(sizes[s]);
    for (unsigned i = 0; i < MANY; i++) CHECK((p[i] = copse_alloc(sizes[s])));
    struct sums full = equal_statistics();
    CHECK(full.blocks[class] >= 150);
    for (unsigned i = 0; i < MANY; i++)
      if (i % 500 < 300) copse_free(p[i], sizes[s]), p[i] = NULL;
    copse_trim();
    struct sums thin = equal_statistics();
    CHECK(thin.free[class] > MANY / 2 && thin.bare[class] > MANY / 4);
    for (unsigned i = 301; i < MANY; i += 500) CHECK(walk_for(p[i]).live == 1);
    for (unsigned i = 0; i < MANY; i++)
      if (p[i]) copse_free(p[i], sizes[s]);
  }
}

FRESH(spans_are_blocks_of_one_slot) {
  enum { SPANS = 70 };
  static char *span[SPANS];
  size_t length = (size_t)3 << 20, large = (size_t)3 << 30;
  for (unsigned i = 0; i < SPANS; i++) CHECK((span[i] = copse_alloc(length)));
  struct sums s = equal_statistics();
  CHECK(s.spans == SPANS && s.span_cached == 0);
  s = walk_for(span[SPANS / 2] + 1000000);
  CHECK(s.seen == 1 && s.live == 1);
  for (unsigned i = 0; i < SPANS; i += 2) copse_free(span[i], length);
  equal_statistics();
  copse_thread_flush();
  /* One that is longer than what a single hold of the lock looks at, where there is room for it. */
  char *wide = copse_alloc(large), *behind = copse_alloc(length);
  s = equal_statistics();
  s = walk_for(behind);
  CHECK(s.seen == 1 && s.live == 1);
  if (wide) {
    s = walk_for(wide + large - 1);
    CHECK(s.seen == 1 && s.live == 1);
    copse_free(wide, large);
  } else {
    left_out("no room for a span of 3 GB");
  }
  copse_free(behind, length);
  for (unsigned i = 1; i < SPANS; i += 2) copse_free(span[i], length);
  copse_trim();
  s = equal_statistics();
  CHECK(s.spans == 0 && s.span_cached == 0);
}

/* ---- visitors that do other things ---- */

static int stop_at_third(const struct copse_block *blocks, size_t n, void *context) {
  (void)blocks, (void)n;
  return ++*(int *)context == 3 ? 4711 : 0;
}

FRESH(a_visitor_ends_the_walk) {
  loads[0].seed = 1;
  fill(&loads[0]);
  int calls = 0;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 4711 && calls == 3);
  calls = 100;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 0 && calls > 103);
  drain(&loads[0]);
  /* At a span too, the last of all. */
  void *span = copse_alloc((size_t)5 << 20);
  struct sums s = walk_for(NULL);
  calls = 3 - (int)s.calls;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 4711);
  copse_free(span, (size_t)5 << 20);
}

/* Of the class that it is called with, so that the pool's lock would be taken twice. */
static int allocate(const struct copse_block *blocks, size_t n, void *context) {
  void *p[100];
  size_t size = blocks[0].size > 64 ? blocks[0].size - 16 : blocks[0].size;
  if (size > ((size_t)1 << 20)) size = (size_t)2 << 20;
  unsigned objects = size < ((size_t)1 << 16) ? 100 : 5;
  for (unsigned i = 0; i < objects; i++) CHECK((p[i] = copse_alloc(size)));
  for (unsigned i = 0; i < objects; i++) copse_free(p[i], size);
  copse_thread_flush();
  *(uint64_t *)context += n;
  return 0;
}

FRESH(a_visitor_may_allocate) {
  uint64_t found = 0;
  loads[0].seed = 2;
  fill(&loads[0]);
  void *span = copse_alloc((size_t)5 << 20);
  CHECK(copse_heap_walk(allocate, &found) == 0 && found > 60);
  struct sums s = equal_statistics();
  CHECK(s.spans >= 1); /* or more: those in the quarantine */
  copse_free(span, (size_t)5 << 20);
  drain(&loads[0]);
  balance_empty();
}

static int stop_churning; /* by atomic accesses */

static void churn(void *argument) {
  struct load *l = argument;
  size_t large = (size_t)5 << 20;
  while (!__atomic_load_n(&stop_churning, __ATOMIC_ACQUIRE)) {
    fill(l);
    void *span = copse_alloc(large);
    drain(l);
    copse_trim();
    if (span) copse_free(span, large);
  }
}

FRESH(another_thread_works_meanwhile) {
  struct worker w[2];
  void *mine = copse_alloc(48), *span = copse_alloc((size_t)7 << 20);
  for (unsigned i = 0; i < 2; i++) {
    loads[i].seed = i + 5;
    worker_start(&w[i]);
    worker_begin(&w[i], churn, &loads[i]);
  }
  for (unsigned i = 0; i < LESS(300); i++) {
    struct sums s = walk_for(i & 1 ? mine : span);
    CHECK(s.seen == 1 && s.live == 1);
  }
  __atomic_store_n(&stop_churning, 1, __ATOMIC_RELEASE);
  for (unsigned i = 0; i < 2; i++) worker_wait(&w[i]), worker_end(&w[i]);
  equal_statistics();
  copse_free(mine, 48);
  copse_free(span, (size_t)7 << 20);
}

FRESH(a_forked_child_sees_the_same) {
  loads[0].seed = 9;
  fill(&loads[0]);
  struct sums here = equal_statistics();
  pid_t pid = fork();
  if (pid == 0) {
    struct sums there = equal_statistics();
    CHECK(memcmp(there.blocks, here.blocks, sizeof here.blocks) == 0);
    _exit(0);
  }
  int status = -1;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_before_the_first_allocation),
    cmocka_unit_test(sums_are_the_statistics),
    cmocka_unit_test(a_pool_of_many_calls),
    cmocka_unit_test(spans_are_blocks_of_one_slot),
    cmocka_unit_test(a_visitor_ends_the_walk),
    cmocka_unit_test(a_visitor_may_allocate),
    cmocka_unit_test(another_thread_works_meanwhile),
    cmocka_unit_test(a_forked_child_sees_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
