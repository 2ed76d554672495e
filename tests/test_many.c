/* SPDX-License-Identifier: MIT */
/* More than three million objects of one class: their trees are chained, found lowest address first, and emptied from the
 * end. */
#include "balance.h"
#include "random.h"
#include "resident.h"
#include "vm.h"
#include <string.h>
#include "beneath.h"

enum { SIZE = 16, N = 3400000, TREE_SLOTS = BIT_TREE_SIZE * 64 };
static void *object[N];

static unsigned tree_of(const void *p) { return (unsigned)(pool_slot(&copse_pools[0], p) / TREE_SLOTS); }

static void fill_up(void) {
  /* No explicit huge pages: they are never given back, and there may be some, for another test. */
  CHECK(copse_tune_set("huge", 1) == 0);
  for (unsigned i = 0; i < N; i++) {
    CHECK((object[i] = copse_alloc(SIZE)));
    *(unsigned *)object[i] = i;
  }
}

FRESH(three_million_objects_in_chained_trees) {
  enum { SOME = 5000 };
  fill_up();
  /* Fresh memory comes in the order of addresses. */
  for (unsigned i = 1; i < N; i++) CHECK(object[i] > object[i - 1]);
  unsigned trees = tree_of(object[N - 1]) + 1;
  CHECK(trees >= 3 && copse_pools[0].chains[PARTIAL].rest != NULL);
  /* So does what comes free here and there in all of them: freed in any order, found in that of addresses. */
  static void *freed[SOME];
  uint64_t seed = 9;
  for (unsigned i = 0; i < SOME; i++) freed[i] = object[(u64)i * (N - 1) / (SOME - 1)];
  unsigned in_last = 0;
  for (unsigned i = 0; i < SOME; i++) in_last += tree_of(freed[i]) == trees - 1;
  CHECK(in_last > 0);
  copse_thread_flush(); /* whatever was refilled and not used yet */
  random_order(&seed, SOME, freed);
  for (unsigned i = 0; i < SOME; i++) copse_free(freed[i], SIZE);
  copse_trim(); /* all of it back to the blocks: bundles and the recycler hold none */
  unsigned found = 0;
  void *last = NULL;
  for (unsigned i = 0; i < SOME; i++) {
    void *p = copse_alloc(SIZE);
    CHECK(p > last);
    last = p;
    found += p == object[(u64)i * (N - 1) / (SOME - 1)];
  }
  CHECK(found == SOME);
  struct live live = {{0}};
  for (unsigned i = 0; i < N; i++) live_add(&live, object[i]);
  balance(&live);
  figure("objects of one class", "%d in %u trees of %d slots", N, trees, TREE_SLOTS);
  figure("freed all over and found in the order of addresses", "%u of %d", found, SOME);
}

static char *pool_end(void) { return pool_address(&copse_pools[0], copse_pools[0].frontier); }

FRESH(the_empty_tail_is_given_back) {
  fill_up();
  enum { KEEP = N / 3 };
  size_t before = resident_in(copse_pools[0].start, pool_end());
  for (unsigned i = KEEP; i < N; i++) copse_free(object[i], SIZE);
  size_t given = copse_trim(), tail = resident_in((char *)object[KEEP - 1] + SIZE, pool_end());
  figure("resident before, given back, resident behind the last object", "%zu, %zu, %zu", before, given, tail);
  CHECK(before >= (size_t)N * SIZE && given >= (size_t)(N - KEEP) * SIZE - (1 << 20));
  /* All but the page that the last object shares, or what a huge page brought in at the end of what was ever touched. */
  CHECK(tail <= max_u64(copse_vm_facts.huge, copse_vm_facts.page));
  for (unsigned i = 0; i < KEEP; i++) CHECK(*(unsigned *)object[i] == i);
  /* It comes back when it is wanted, as zeros. */
  for (unsigned i = KEEP; i < N; i++) CHECK((object[i] = copse_alloc(SIZE)));
  CHECK(object[N - 1] < (void *)pool_end());
  for (unsigned i = 0; i < N; i++) copse_free(object[i], SIZE);
  balance_empty();
}

/* A third of the objects, all over the place, are replaced in bursts that are larger than what caches hold: the low addresses
 * fill up and the tail empties by itself. */
FRESH(the_tail_empties_by_itself) {
  fill_up();
  uint64_t seed = 3;
  random_order(&seed, N, object);
  enum { BURST = 20000, POPULATION = N / 3 / BURST * BURST };
  for (unsigned i = POPULATION; i < N; i++) copse_free(object[i], SIZE);
  copse_thread_flush();
  char *far = copse_pools[0].start + (size_t)POPULATION * SIZE * 3 / 2;
  unsigned far_before = 0, far_after = 0;
  for (unsigned i = 0; i < POPULATION; i++) far_before += (char *)object[i] > far;
  for (unsigned turn = 0; turn < 5; turn++) {
    for (unsigned i = 0; i < POPULATION; i += BURST) {
      copse_free_batch(SIZE, BURST, object + i);
      CHECK(copse_alloc_batch(SIZE, BURST, object + i) == BURST);
    }
    random_order(&seed, POPULATION, object); /* or else the same ones would be caught in the recycler each time */
  }
  for (unsigned i = 0; i < POPULATION; i++) far_after += (char *)object[i] > far;
  copse_trim();
  size_t bytes = resident_in(copse_pools[0].start, pool_end());
  figure("live objects beyond 3/2 of the least space, before and after", "%u and %u of %d", far_before, far_after, POPULATION);
  figure("bytes of the live objects, and resident", "%zu, %zu", (size_t)POPULATION * SIZE, bytes);
  CHECK(far_before > POPULATION / 3 && far_after < POPULATION / 1000);
  CHECK(bytes < (size_t)POPULATION * SIZE * 3 / 2 + copse_vm_facts.huge);
  for (unsigned i = 0; i < POPULATION; i++) copse_free(object[i], SIZE);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(three_million_objects_in_chained_trees),
    cmocka_unit_test(the_empty_tail_is_given_back),
    cmocka_unit_test(the_tail_empties_by_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
