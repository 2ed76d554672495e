/* SPDX-License-Identifier: MIT */
/*
 * Arenas: each thread's slots are its own neighbours, and a slot goes home whoever frees it, so that no two threads come to
 * share a cache line for good.
 */
#include "balance.h"
#include "copse-inline.h"
#include "random.h"
#include "tunables.h"
#include "vm_faults.h"
#include "worker.h"
#include <errno.h>
#include <string.h>
#include "beneath.h"

enum { MOST = 20000, LINE = 64 };

/* As many as there can be, which under TSan is not the default. */
static void begin(void) {
  CHECK(copse_tune_set("arenas", ARENAS_MOST) == 0);
  copse_free(copse_alloc(16), 16); /* the first is this thread's */
}

struct heap {
  size_t size;
  unsigned n, arena;
  void *p[MOST];
};
static struct heap heap[ARENA_ROWS];

static void fill(void *argument) {
  struct heap *h = argument;
  for (unsigned i = 0; i < h->n; i++) CHECK((h->p[i] = copse_alloc(h->size)));
  h->arena = cache_of_thread()->arena;
}

static void empty(void *argument) {
  struct heap *h = argument;
  for (unsigned i = 0; i < h->n; i++) copse_free(h->p[i], h->size);
}

/* How many of them are of the arena's pools. */
static unsigned of_arena(const struct heap *h, unsigned arena) {
  unsigned n = 0;
  for (unsigned i = 0; i < h->n; i++) n += region_arena(region_of(h->p[i])) == arena;
  return n;
}

FRESH(threads_go_round_the_arenas) {
  struct worker w[ARENA_ROWS];
  begin();
  unsigned arenas = copse_regions.arenas;
  CHECK(arenas == ARENAS_MOST && cache_of_thread()->arena == 0 && copse_pools_arenas() == 1);
  for (unsigned i = 0; i < ARENA_ROWS; i++) {
    heap[i] = (struct heap){.size = 48, .n = 1000};
    worker_start(&w[i]);
    worker_do(&w[i], fill, &heap[i]);
    CHECK(heap[i].arena == (i + 1) % arenas && of_arena(&heap[i], heap[i].arena) == 1000);
    CHECK(copse_pools_arenas() == min_u64(i + 2, arenas));
  }
  struct live live = {{0}};
  for (unsigned i = 0; i < ARENA_ROWS; i++)
    for (unsigned j = 0; j < 1000; j++) live_add(&live, heap[i].p[j]);
  balance(&live);
  for (unsigned i = 0; i < ARENA_ROWS; i++) worker_do(&w[i], empty, &heap[i]);
  /* A record is used again, and its arena with it. */
  worker_end(&w[0]);
  worker_start(&w[0]);
  worker_do(&w[0], fill, &heap[0]);
  CHECK(heap[0].arena == 1 % arenas);
  worker_do(&w[0], empty, &heap[0]);
  for (unsigned i = 0; i < ARENA_ROWS; i++) worker_end(&w[i]);
  balance_empty();
}

/* Frees some of the other's objects, and replaces as many of its own: as events and migrations do. */
struct exchange {
  struct heap *mine, *others;
  uint64_t seed;
};

static void exchange(void *argument) {
  struct exchange *e = argument;
  for (unsigned i = 0; i < e->mine->n / 4; i++) {
    unsigned at = (unsigned)random_below(&e->seed, e->others->n);
    if (e->others->p[at]) copse_free(e->others->p[at], e->others->size);
    e->others->p[at] = NULL;
    at = (unsigned)random_below(&e->seed, e->mine->n);
    if (e->mine->p[at]) copse_free(e->mine->p[at], e->mine->size);
    CHECK((e->mine->p[at] = copse_alloc(e->mine->size)));
  }
}

static void complete(void *argument) {
  struct heap *h = argument;
  for (unsigned i = 0; i < h->n; i++)
    if (!h->p[i]) CHECK((h->p[i] = copse_alloc(h->size)));
}

static int by_address(const void *a, const void *b) {
  uptr x = *(const uptr *)a & ~(uptr)1, y = *(const uptr *)b & ~(uptr)1;
  return x < y ? -1 : x > y;
}

/* Lines on which objects of both lie: heap i is what thread i has allocated. */
static unsigned lines_shared(void) {
  static uptr all[2 * MOST];
  unsigned n = 0, shared = 0;
  for (unsigned i = 0; i < 2; i++)
    for (unsigned j = 0; j < heap[i].n; j++) all[n++] = (uptr)heap[i].p[j] | i;
  qsort(all, n, sizeof *all, by_address);
  for (unsigned i = 1; i < n; i++) shared += all[i] / LINE == all[i - 1] / LINE && (all[i] & 1) != (all[i - 1] & 1);
  return shared;
}

static unsigned shared_after_exchange(void) {
  struct worker w[2];
  struct exchange e[2];
  for (unsigned i = 0; i < 2; i++) {
    heap[i] = (struct heap){.size = 16, .n = MOST};
    worker_start(&w[i]);
    worker_do(&w[i], fill, &heap[i]);
  }
  CHECK(lines_shared() == 0 || copse_regions.arenas == 1);
  for (unsigned round = 0; round < 20; round++) {
    unsigned me = round & 1;
    e[me] = (struct exchange){&heap[me], &heap[!me], round + 1};
    worker_do(&w[me], exchange, &e[me]);
    worker_do(&w[!me], complete, &heap[!me]);
  }
  unsigned shared = lines_shared();
  for (unsigned i = 0; i < 2; i++) {
    worker_do(&w[i], empty, &heap[i]);
    worker_end(&w[i]);
  }
  copse_trim();
  balance_empty();
  return shared;
}

FRESH(no_line_is_shared_by_two_threads) {
  if (INSTRUMENTED) {
    left_out("the instrumented library has one arena");
    return;
  }
  begin();
  unsigned shared = shared_after_exchange();
  figure("cache lines of 16-byte objects shared by two threads that free each other's", "%u of %u", shared, 2 * MOST / 4);
  CHECK(shared == 0);
}

/* The same with one arena: so that the figure above means something. */
FRESH(with_one_arena_lines_are_shared) {
  CHECK(copse_tune_set("arenas", 1) == 0);
  unsigned shared = shared_after_exchange();
  CHECK(copse_regions.arenas == 1 && copse_pools_arenas() == 1);
  figure("the same with one arena", "%u", shared);
  CHECK(shared > 0);
}

FRESH(what_is_freed_elsewhere_comes_home_without_the_lock) {
  enum { DEPTH = 112, N = 10 * DEPTH };
  struct worker w;
  static struct copse_stats stats;
  unsigned class = class_of_size(64);
  begin();
  worker_start(&w);
  heap[0] = (struct heap){.size = 64, .n = N + 7 + 14 + 28 + 56 + DEPTH};
  worker_do(&w, fill, &heap[0]);
  unsigned arena = heap[0].arena;
  /* This thread's bundle for that arena deepens first; then each full one goes to the recycler of the arena. */
  empty(&heap[0]);
  CHECK(recycler_count(recycler_of(class, arena)) >= 9);
  if (arena) CHECK(recycler_count(recycler_of(class, 0)) == 0 && cache_of_thread()->hot.top[class] == dummy_top());
  copse_stats(&stats);
  u64 locked = stats.classes[class].locked;
  heap[1] = (struct heap){.size = 64, .n = 8 * DEPTH};
  worker_do(&w, fill, &heap[1]);
  copse_stats(&stats);
  CHECK(stats.classes[class].locked == locked && of_arena(&heap[1], arena) == 8 * DEPTH);
  worker_do(&w, empty, &heap[1]);
  worker_end(&w);
  copse_thread_flush();
  balance_empty();
}

FRESH(a_small_reservation_has_one_arena) {
  CHECK(copse_tune_set("reserve", (u64)1 << 38) == 0);
  void *p = copse_alloc(100);
  CHECK(p && copse_regions.arenas == 1 && region_own() == ARENA_REGIONS - 1 && region_spans() == CLASS_SPANS);
  copse_free(p, 100);
  balance_empty();
}

/* What one arena has free serves another's threads where there is no more memory. */
FRESH(free_slots_of_another_arena_are_the_last_resort) {
  struct worker w;
  CHECK(copse_tune_set("limit", 2 << 20) == 0);
  begin();
  heap[0] = (struct heap){.size = 200};
  while (heap[0].n < MOST && (heap[0].p[heap[0].n] = copse_alloc(200))) heap[0].n++;
  while (heap[0].n < MOST && (heap[0].p[heap[0].n] = copse_alloc(1))) heap[0].n++;
  CHECK(errno == ENOMEM && heap[0].n < MOST);
  /* One in four comes free, so that no block is vacant and none can be given back. */
  unsigned kept = 0, freed = 0;
  for (unsigned i = 0; i < heap[0].n; i++)
    if (i % 4 == 0 && copse_usable_size(heap[0].p[i]) >= 200) {
      copse_free(heap[0].p[i], 200);
      freed++;
    } else {
      heap[0].p[kept++] = heap[0].p[i];
    }
  heap[0].n = kept;
  copse_thread_flush();
  CHECK(freed > 1000);
  worker_start(&w);
  heap[1] = (struct heap){.size = 200, .n = freed / 2};
  worker_do(&w, fill, &heap[1]);
  CHECK(of_arena(&heap[1], 0) > 0);
  worker_do(&w, empty, &heap[1]);
  worker_end(&w);
  for (unsigned i = 0; i < kept; i++) copse_free_unsized(heap[0].p[i]);
  balance_empty();
}

static bool refused;
static bool refuse_own(const struct vm_record *call) {
  return refused && call->kind == VM_MPROTECT && region_of(call->address) == region_own() &&
         call->length > sizeof(struct pool_first) * 8;
}

/* No memory for another arena's metadata: the thread goes where there is some. */
FRESH(an_arena_that_cannot_be_made) {
  struct worker w;
  begin();
  vm_faults_install();
  vm_faults.refuse = refuse_own;
  refused = true;
  worker_start(&w);
  heap[0] = (struct heap){.size = 100, .n = 10};
  worker_do(&w, fill, &heap[0]);
  CHECK(heap[0].arena == 0 && of_arena(&heap[0], 0) == 10 && copse_pools_arenas() == 1);
  worker_do(&w, empty, &heap[0]);
  refused = false;
  /* The next thread asks again. */
  struct worker next;
  worker_start(&next);
  worker_do(&next, fill, &heap[0]);
  CHECK(heap[0].arena == 2 % copse_regions.arenas);
  CHECK(copse_pools_arenas() == min_u64(3, copse_regions.arenas) && of_arena(&heap[0], heap[0].arena) == 10);
  worker_do(&next, empty, &heap[0]);
  worker_end(&next);
  worker_end(&w);
  vm_faults_remove();
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_go_round_the_arenas),
    cmocka_unit_test(no_line_is_shared_by_two_threads),
    cmocka_unit_test(with_one_arena_lines_are_shared),
    cmocka_unit_test(what_is_freed_elsewhere_comes_home_without_the_lock),
    cmocka_unit_test(a_small_reservation_has_one_arena),
    cmocka_unit_test(free_slots_of_another_arena_are_the_last_resort),
    cmocka_unit_test(an_arena_that_cannot_be_made),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
