/* SPDX-License-Identifier: MIT */
/* Spans from several threads: contents, double frees, the limit, and a look at the invariants all the while. */
#include "span_help.h"
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, SLOTS = 12, ROUNDS = 1200 };

struct worker {
  pthread_t thread;
  u64 seed, wrong, refused;
  unsigned rounds;
};

static u64 random_below(struct worker *w, u64 n) {
  w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
  return (w->seed >> 33) % n;
}

/* A few words of it: the whole would take all the time. */
static void mark(char *p, u64 size, u64 name) {
  for (u64 i = 0; i < 8; i++) *(u64 *)(void *)(p + round_down(size / 8 * i, 8)) = name + i;
  *(u64 *)(void *)(p + round_down(size - 8, 8)) = name + 9;
}
static bool marked(const char *p, u64 size, u64 name) {
  for (u64 i = 0; i < 8; i++)
    if (*(const u64 *)(const void *)(p + round_down(size / 8 * i, 8)) != name + i) return false;
  return *(const u64 *)(const void *)(p + round_down(size - 8, 8)) == name + 9;
}

static void *work(void *argument) {
  struct worker *w = argument;
  struct { char *p; u64 size, name; } slots[SLOTS] = {{0}};
  for (unsigned round = 0; round < w->rounds; round++) {
    unsigned i = (unsigned)random_below(w, SLOTS);
    u64 name = (uptr)w + round * 100, size = MB + random_below(w, 9 * MB);
    if (!slots[i].p) {
      bool zero = random_below(w, 4) == 0;
      slots[i].p = copse_span_alloc(size, random_below(w, 8) ? 1 : 8 * MB, zero);
      if (!slots[i].p) {
        w->refused++;
        continue;
      }
      if (copse_span_size(slots[i].p) < size) w->wrong++;
      if (zero)
        for (u64 j = 0; j < size; j += 4096) w->wrong += slots[i].p[j] != 0;
      mark(slots[i].p, size, name);
    } else {
      if (!marked(slots[i].p, slots[i].size, slots[i].name)) w->wrong++;
      if (random_below(w, 2)) {
        if (!copse_span_free(slots[i].p)) w->wrong++;
        slots[i].p = NULL;
        continue;
      }
      size = max_u64(size, slots[i].size / 2);
      char *p = copse_span_resize(slots[i].p, size);
      if (!p) {
        w->refused++;
        continue;
      }
      slots[i].p = p;
      /* The first word survives, and the others as far as both sizes reach. */
      for (u64 j = 0; j < 8; j++) {
        u64 at = round_down(slots[i].size / 8 * j, 8);
        if (at + 8 <= size && *(u64 *)(void *)(p + at) != slots[i].name + j) w->wrong++;
      }
      mark(p, size, name);
    }
    slots[i].size = size;
    slots[i].name = name;
    if (round % 200 == 0 && !copse_span_valid()) w->wrong++;
    if (round % 150 == 0) copse_span_trim();
  }
  for (unsigned i = 0; i < SLOTS; i++)
    if (slots[i].p && !(marked(slots[i].p, slots[i].size, slots[i].name) && copse_span_free(slots[i].p))) w->wrong++;
  return NULL;
}

static u64 run(unsigned rounds) {
  static struct worker workers[THREADS];
  u64 refused = 0, wrong = 0;
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.seed = i + 1, .rounds = rounds};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    wrong += workers[i].wrong;
    refused += workers[i].refused;
  }
  assert_int_equal(wrong, 0); /* when none of them runs any more */
  return refused;
}

static void churn(void **state) {
  (void)state;
  for (u64 huge = 0; huge < 2; huge++) {
    copse_tunables = (struct tunables){.huge = huge, .span_cache = 16 * MB};
    assert_int_equal(run(ROUNDS), 0);
    assert_true(span_idle());
  }
}

static void churn_with_explicit_pages(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 2, .span_cache = 16 * MB};
  vm_faults.huge_1g = 0;
  vm_faults.huge_2m = 100000;
  run(ROUNDS / 2); /* such spans refuse to move: the caller copies */
  assert_true(copse_vm_counters.huge_2m > 100 * MB);
  vm_faults.huge_2m = vm_faults.huge_1g = -1;
  assert_true(span_idle());
}

static void churn_at_the_limit(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 0, .span_cache = 16 * MB, .limit = 120 * MB};
  u64 refused = run(ROUNDS);
  print_message("%llu refusals at the limit\n", (unsigned long long)refused);
  assert_true(refused > 0);
  copse_tunables.limit = 0;
  assert_true(span_idle());
}

/* A tenth of all system calls fail. */
static u64 counter;
static bool now_and_then(const struct vm_record *call) {
  (void)call;
  return add_relaxed(&counter, (u64)1) % 10 == 3;
}
static void churn_with_refusals(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 16 * MB};
  vm_faults.refuse = now_and_then;
  vm_faults.holes = false;
  run(ROUNDS);
  vm_faults.refuse = NULL;
  vm_faults.holes = true;
  assert_true(vm_faults.failed > 100);
  assert_true(span_idle());
}

/* ---- two threads free the same span: one succeeds ---- */

enum { PAIRS = 3000 };
static void *shared[PAIRS];
static u64 pairs, at[2];

static void *free_all(void *argument) {
  u64 *mine = argument, freed = 0;
  for (u64 i = 0; i < pairs; i++) {
    /* In step with the other: it is not to be further than one behind. */
    store_relaxed(mine, i);
    for (u64 n = 0; load_relaxed(&at[mine == at]) + 1 < i && n < 100000; n++) continue;
    freed += copse_span_free(load_relaxed(&shared[i]));
  }
  store_relaxed(mine, pairs);
  return (void *)(uptr)freed;
}

static void double_free_by_two(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 0, .span_cache = 0};
  /* Where little was reserved, as many as take half of it. */
  pairs = min_u64(PAIRS, region_spans_size() / (2 * GRANULE));
  for (u64 i = 0; i < pairs; i++) assert_non_null(shared[i] = copse_span_alloc(MB, 1, false));
  at[0] = at[1] = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, free_all, &at[0]), 0);
  u64 mine = (u64)(uptr)free_all(&at[1]);
  void *others;
  assert_int_equal(pthread_join(thread, &others), 0);
  assert_int_equal(mine + (u64)(uptr)others, pairs);
  assert_true(span_idle());
}

static int begin(void **state) {
  (void)state;
  return span_begin((u64)1 << 38) ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(churn), cmocka_unit_test(churn_with_explicit_pages), cmocka_unit_test(churn_at_the_limit),
    cmocka_unit_test(churn_with_refusals), cmocka_unit_test(double_free_by_two),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
