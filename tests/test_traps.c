/* SPDX-License-Identifier: MIT */
/*
 * What earlier allocators of this shape fell into, one named test each, by the numbers of the list in the design:
 * here 2 to 5, 7, 8, 11, 13, 14 and 16; with threads (test_traps_threads.c) 1, 6, 10 and 15; test_traps_malloc.c 9;
 * test_traps_misuse.c 12.  At full length: 3 test_borrow.c, 7 test_system_calls.c, 16 test_limits.c.
 */
#include "copse-inline.h"
#include "balance.h"
#include "random.h"
#include "resident.h"
#include "tunables.h"
#include "vm_faults.h"
#include <errno.h>
#include <string.h>

/* 2. Over-aligned requests routed differently by alloc and free: what is freed is what the next such request gets. */
FRESH(trap_2_alloc_and_free_route_alike) {
  unsigned pairs = 0;
  for (size_t alignment = 1; alignment <= (size_t)1 << 22; alignment *= 2)
    for (size_t size = 1; size <= (size_t)3 << 20; size = size * 5 / 3 + 1) {
      void *p = copse_alloc_aligned(size, alignment);
      CHECK(p && (uptr)p % alignment == 0);
      u64 region = region_of(p);
      copse_free_aligned(p, size, alignment);
      void *q = copse_alloc_aligned(size, alignment);
      CHECK(region_of(q) == region && (uptr)q % alignment == 0);
      if (region < COPSE_CLASSES && !INSTRUMENTED) CHECK(q == p && copse_class_route(size, alignment) == region);
      copse_free_aligned(q, copse_usable_size(q), alignment);
      pairs++;
    }
  balance_empty();
  figure("pairs of size and alignment", "%u", pairs);
}

/* 3. An exhausted pool that is never allocated from again. */
FRESH(trap_3_an_exhausted_pool_serves_again) {
  enum { MOST = 4000 };
  static void *p[MOST];
  CHECK(copse_tune_set("reserve", 1 << 27) == 0);
  unsigned class = class_of_request(5000), n = 0, home = 0, again = 0;
  for (; n < MOST && (p[n] = copse_alloc(5000)); n++) home += region_of(p[n]) == class;
  CHECK(n > home && n < MOST && errno == ENOMEM);
  for (unsigned i = 0; i < n; i++) copse_free(p[i], 5000);
  copse_thread_flush();
  copse_trim();
  for (unsigned i = 0; i < home; i++) {
    CHECK((p[i] = copse_alloc(5000)));
    again += region_of(p[i]) == class;
  }
  CHECK(again == home);
  for (unsigned i = 0; i < home; i++) copse_free(p[i], 5000);
  balance_empty();
}

/* 4. A pending-decommit list without bound: what a trim holds at a time is bounded, and nothing is left behind. */
static u64 most_detached, most_blocks;
static void look_at_detached(const struct vm_record *call) {
  if (call->kind != VM_MADVISE) return;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    u64 bytes = copse_pools[class].detached * copse_pools[class].size;
    u64 bound = 2 * TRIM_BATCH + 64 * copse_pools[class].size; /* and the block with which it was reached */
    if (bytes > most_detached) most_detached = bytes;
    if (bytes * 100 / bound > most_blocks) most_blocks = bytes * 100 / bound;
  }
}

FRESH(trap_4_what_a_trim_holds_is_bounded) {
  static const size_t sizes[] = {16, 200, 1000, 4096, 20000, 262144};
  enum { N = 40000 };
  static void *p[N];
  struct copse_stats stats;
  u64 metadata = 0;
  copse_free(copse_alloc(1), 1);
  vm_faults_install();
  vm_faults.hook = look_at_detached;
  CHECK(copse_tune_set("huge", 0) == 0);
  for (unsigned round = 0; round < 30; round++) {
    CHECK(copse_tune_set("cooldown", round % 3) == 0);
    for (unsigned s = 0; s < 6; s++) {
      size_t n = ((size_t)64 << 20) / sizes[s] < N ? ((size_t)64 << 20) / sizes[s] : N;
      CHECK(copse_alloc_batch(sizes[s], n, p) == n);
      copse_free_batch(sizes[s], n, p);
    }
    copse_trim();
    copse_stats(&stats);
    for (unsigned class = 0; class < COPSE_CLASSES; class++) CHECK(stats.classes[class].detached == 0);
    if (round == 5) metadata = stats.metadata;
  }
  CHECK(stats.metadata == metadata);
  CHECK(most_detached > 0);
  balance_empty();
  figure("bytes that a trim detached at a time", "%llu at most, %llu %% of the bound; copse's own bytes after 30 rounds: %llu",
         (unsigned long long)most_detached, (unsigned long long)most_blocks, (unsigned long long)metadata);
  CHECK(most_blocks <= 100);
}

/* 5. "Zeroed in debug" that the cache defeats: dirty slots wait in the bundle, the spare, the recycler and the pool. */
FRESH(trap_5_zeroed_is_zero_from_everywhere) {
  enum { N = 6000 };
  static unsigned char *p[N];
  static const size_t sizes[] = {16, 100, 1000, 5000, 16384, 20000};
  for (unsigned s = 0; s < 6; s++)
    for (unsigned round = 0; round < 4; round++) {
      size_t n = sizes[s] > 4096 ? 400 : LESS(N);
      for (size_t i = 0; i < n; i++) {
        CHECK((p[i] = copse_alloc_zeroed(sizes[s])));
        for (size_t at = 0; at < sizes[s]; at++) CHECK(p[i][at] == 0);
        memset(p[i], 0xDB, sizes[s]);
      }
      for (size_t i = 0; i < n; i++) copse_free(p[i], sizes[s]);
      if (round == 1) copse_thread_flush();
      if (round == 2) copse_trim();
    }
  balance_empty();
}

/* 7. System calls under locks. */
static u64 held_at_calls, calls_seen;
static void try_locks(const struct vm_record *call) {
  (void)call;
  calls_seen++;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    if (pthread_mutex_trylock(&copse_pools[class].lock.mutex) == 0)
      pthread_mutex_unlock(&copse_pools[class].lock.mutex);
    else
      held_at_calls++;
  }
}

FRESH(trap_7_no_system_call_under_a_lock) {
  vm_faults_install();
  vm_faults.hook = try_locks;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    void *p[200];
    size_t n = class_size(class) > 100000 ? 8 : 200;
    CHECK(copse_alloc_batch(class_size(class), n, p) == n);
    copse_free_batch(class_size(class), n, p);
  }
  copse_trim();
  CHECK(calls_seen > 60 && held_at_calls == 0);
  figure("system calls, under a lock", "%llu, %llu", (unsigned long long)calls_seen, (unsigned long long)held_at_calls);
}

/* 8. A 70 KB request served with 1.9 MB. */
FRESH(trap_8_large_requests_waste_little) {
  enum { N = 500, SIZE = 70 << 10 };
  static void *p[N];
  size_t worst = 0, worst_size = 0;
  for (size_t size = 1024; size <= (size_t)16 << 20; size += size / 97 + 1) {
    size_t permille = copse_good_size(size) * 1000 / size;
    if (permille > worst) {
      worst = permille;
      worst_size = size;
    }
  }
  CHECK(worst <= 1250 && copse_good_size(SIZE) <= 81920);
  copse_free(copse_alloc(1), 1);
  size_t before = resident();
  for (unsigned i = 0; i < N; i++) memset(p[i] = copse_alloc(SIZE), 1, SIZE);
  size_t bytes = resident() - before;
  if (!UNDER_SANITIZER) CHECK(bytes < (size_t)N * SIZE * 5 / 4 + (4 << 20));
  for (unsigned i = 0; i < N; i++) copse_free(p[i], SIZE);
  figure("worst slot for a size from 1 KB to 16 MB", "%zu.%zu %% for %zu", worst / 10, worst % 10, worst_size);
  figure("resident for 500 objects of 70 KB", "%zu KB each", bytes / N >> 10);
}

/* 11. ENOMEM taken for exhaustion: a class that the system refuses does not turn to others, and is not given up. */
static bool refuse_growth(const struct vm_record *call) { return call->kind == VM_MPROTECT; }

FRESH(trap_11_enomem_is_not_exhaustion) {
  enum { N = 20000 };
  static void *p[N];
  for (unsigned class = 0; class < COPSE_CLASSES; class++) /* every class has some */
    copse_free(copse_alloc(class_size(class)), class_size(class));
  vm_faults_install();
  vm_faults.refuse = refuse_growth;
  size_t n = copse_alloc_batch(96, N, p);
  CHECK(n > 0 && n < N && errno == ENOMEM);
  for (size_t i = 0; i < n; i++) CHECK(region_of(p[i]) == class_of_request(96));
  for (unsigned i = 0; i < 50; i++) CHECK(!copse_alloc(96));
  vm_faults.refuse = NULL;
  size_t more = copse_alloc_batch(96, N - n, p + n);
  CHECK(more == N - n);
  for (size_t i = 0; i < N; i++) CHECK(region_of(p[i]) == class_of_request(96));
  copse_free_batch(96, N, p);
  balance_empty();
  figure("served while the system refuses, and after", "%zu, %zu", n, more);
}

/* 13. Shared lines written per operation: pairs on the hot path write this thread's record and bundle, and nothing else. */
FRESH(trap_13_the_hot_path_writes_nothing_shared) {
  if (INSTRUMENTED) {
    left_out("the instrumented library's guard has a lock a class");
    return;
  }
  static struct pool pools[COPSE_CLASSES];
  static struct recycler recyclers[COPSE_CLASSES];
  static struct copse_stats before, after;
  for (unsigned i = 0; i < 1000; i++) copse_free(copse_alloc(64), 64);
  copse_stats(&before);
  struct cache *mine = cache_of_thread();
  u64 generation = copse_generation, spare[COPSE_CLASSES];
  memcpy(spare, mine->spare, sizeof spare);
  memcpy(pools, copse_pools, sizeof pools);
  memcpy(recyclers, copse_recyclers, sizeof recyclers);
  for (unsigned i = 0; i < 100000; i++) {
    copse_free(copse_alloc(64), 64);
    copse_inline_free(copse_inline_alloc(64), 64);
  }
  CHECK(memcmp(pools, copse_pools, sizeof pools) == 0 && memcmp(recyclers, copse_recyclers, sizeof recyclers) == 0);
  CHECK(memcmp(spare, mine->spare, sizeof spare) == 0 && copse_generation == generation);
  copse_stats(&after);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) after.classes[class].locked = before.classes[class].locked;
  CHECK(memcmp(&before, &after, sizeof before) == 0);
  /* What other threads write is a pair of lines away from what this one reads. */
  CHECK(offsetof(struct cache, spare) % APART == 0 && offsetof(struct cache, seen) % APART == 0 && sizeof(struct cache) % APART == 0);
  CHECK(offsetof(struct pool, lock) % APART == 0 && sizeof(struct recycler) % APART == 0);
}

/* 14. A feature probe whose first failure disables it for ever. */
static enum vm_kind refused_kind;
static bool refuse_kind(const struct vm_record *call) { return call->kind == refused_kind; }

FRESH(trap_14_one_failure_disables_nothing) {
  enum { N = 4000 };
  static void *p[N];
  vm_faults_install();
  CHECK(copse_tune_set("huge", 0) == 0);
  /* Giving pages back. */
  for (unsigned i = 0; i < 3; i++) {
    CHECK(copse_alloc_batch(4096, N, p) == N);
    for (unsigned k = 0; k < N; k++) *(char *)p[k] = 1;
    copse_free_batch(4096, N, p);
    refused_kind = VM_MADVISE;
    vm_faults.refuse = refuse_kind;
    CHECK(copse_trim() == 0);
    vm_faults.refuse = NULL;
    size_t given = copse_trim();
    CHECK(given >= (size_t)N * 4096);
    if (i == 0) figure("given back by the trim after a refused one", "%zu of %d bytes", given, N * 4096);
  }
  /* Moving pages.  The instrumented library always copies. */
  for (unsigned i = 0; i < 3 && !INSTRUMENTED; i++) {
    enum { WALLS = 40 };
    char *a = copse_alloc(4 << 20), *wall[WALLS], *before;
    CHECK(a);
    for (unsigned k = 0; k < WALLS; k++) CHECK((wall[k] = copse_alloc(4 << 20)));
    refused_kind = VM_MREMAP;
    vm_faults.refuse = refuse_kind;
    a[5] = 55;
    CHECK((a = copse_realloc(a, 4 << 20, 20 << 20)) && a[5] == 55); /* by copying */
    vm_faults.refuse = NULL;
    vm_faults_reset();
    /* The next one is where it cannot grow in place: another stands behind it. */
    before = wall[7];
    CHECK(before + (4 << 20) == wall[8]);
    before[5] = 66;
    CHECK((wall[7] = copse_realloc(before, 4 << 20, 20 << 20)) && wall[7] != before && wall[7][5] == 66);
    CHECK(vm_faults.calls[VM_MREMAP] > 0);
    copse_free(a, 20 << 20);
    for (unsigned k = 0; k < WALLS; k++) copse_free_unsized(wall[k]);
    copse_trim();
  }
  /* Growing. */
  refused_kind = VM_MPROTECT;
  vm_faults.refuse = refuse_kind;
  while (copse_alloc(10000)) {}
  vm_faults.refuse = NULL;
  for (unsigned i = 0; i < 100; i++) CHECK(copse_alloc(10000));
}

/* 16. mlockall(MCL_CURRENT) failing for the size of the reservation: it can be made small, before the start. */
FRESH(trap_16_the_reservation_can_be_small) {
  struct copse_stats stats;
  CHECK(copse_tune_set("reserve", 1 << 28) == 0);
  copse_free(copse_alloc(1), 1);
  copse_stats(&stats);
  CHECK(stats.reserved == 1 << 28 && copse_tune_set("reserve", 1 << 28) == EBUSY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(trap_2_alloc_and_free_route_alike),
    cmocka_unit_test(trap_3_an_exhausted_pool_serves_again),
    cmocka_unit_test(trap_4_what_a_trim_holds_is_bounded),
    cmocka_unit_test(trap_5_zeroed_is_zero_from_everywhere),
    cmocka_unit_test(trap_7_no_system_call_under_a_lock),
    cmocka_unit_test(trap_8_large_requests_waste_little),
    cmocka_unit_test(trap_11_enomem_is_not_exhaustion),
    cmocka_unit_test(trap_13_the_hot_path_writes_nothing_shared),
    cmocka_unit_test(trap_14_one_failure_disables_nothing),
    cmocka_unit_test(trap_16_the_reservation_can_be_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
