/* SPDX-License-Identifier: MIT */
/*
 * A thread's bundles: how deep they are opened, where full and empty ones go and come from, in which order, and what a
 * flush or a trim does to them.  Each test in a process of its own, where copse has not started.
 */
#include "cache_help.h"

/* ---- start ---- */

FRESH(dummy_is_empty_and_full) {
  struct copse_hot_ *hot = copse_hot_of_thread_();
  CHECK(hot == &copse_cache_start.hot && hot_is_dummy(hot));
  for (unsigned i = 0; i < ARENA_REGIONS; i++) {
    CHECK(hot->top[i] == dummy_top() && hot->top[i][-1] == NULL && ((uptr)hot->top[i] & (BUNDLE_BYTES - 1)) == 0);
    CHECK(copse_cache_exited.hot.top[i] == dummy_top());
  }
  CHECK(mine() == NULL && copse_cache_first() == NULL);
  void *p = take(3);
  CHECK(mine() && copse_cache_first() == mine() && mine()->taken);
  CHECK(copse_cache_start.hot.top[3] == dummy_top() && copse_bundle_dummy.slot[BUNDLE_SLOTS - 1] == NULL);
  give(p);
}

static void heap_take_more(void *argument) { heap_take(argument, FREES_DIRECT + 10); }

FRESH(first_call_may_be_a_free) {
  /* Another thread's object: this thread has no cache yet. */
  struct worker w;
  worker_start(&w);
  heap.class = 5;
  CHECK(mine() == NULL);
  worker_do(&w, heap_take_more, &heap);
  CHECK(mine() == NULL);
  /* It takes one when it has freed a number of them. */
  heap_give(&heap, FREES_DIRECT);
  CHECK(mine() == NULL);
  heap_give(&heap, 10);
  CHECK(mine() && copse_cache_count(5) >= 10);
  worker_end(&w);
  heap_balance(&heap);
}

/* ---- slow start ---- */

FRESH(bundles_are_opened_deeper_by_and_by) {
  for (unsigned class = 0; class < CLASSES; class++) {
    unsigned limit = limit_of(class), expected = limit < DEPTH_FIRST ? limit : DEPTH_FIRST;
    u64 refills = mine() ? mine()->refills : 0;
    heap = (struct heap){.class = class};
    for (unsigned i = 0; i < 8; i++) {
      /* The bundle is empty: the next one is the refill. */
      CHECK(in_top(class) == 0);
      heap_take(&heap, 1);
      CHECK(depth(class) == expected);
      if (mine()->refills) CHECK(++refills == mine()->refills);
      CHECK(in_top(class) < expected);
      heap_take(&heap, in_top(class));
      expected = 2 * expected > limit ? limit : 2 * expected;
    }
    copse_thread_flush();
    CHECK(depth(class) == 0);
    /* And from the beginning again. */
    heap_take(&heap, 1);
    CHECK(depth(class) == (limit < DEPTH_FIRST ? limit : DEPTH_FIRST));
    heap_balance(&heap);
    heap_give(&heap, heap.n);
  }
  balance_empty();
}

FRESH(freed_ones_deepen_the_bundle_too) {
  for (unsigned class = 0; class < CLASSES; class++) {
    unsigned limit = limit_of(class), expected = limit < DEPTH_FIRST ? limit : DEPTH_FIRST;
    heap = (struct heap){.class = class};
    heap_take(&heap, limit);
    copse_thread_flush();
    u64 before = locked(class);
    for (unsigned n = 1; n <= limit; n++) {
      heap_give(&heap, 1);
      if (n > expected) expected = 2 * expected > limit ? limit : 2 * expected;
      CHECK(in_top(class) == n && depth(class) == expected);
    }
    CHECK(locked(class) == before); /* it only moves */
    heap_balance(&heap);
    /* They come out again, the last first. */
    for (; heap.n < limit; heap.n++) CHECK(take(class) == heap.p[heap.n]);
    heap_give(&heap, limit);
  }
}

FRESH(addresses_ascend) {
  char *last = NULL;
  for (unsigned i = 0; i < 10000; i++) {
    char *p = take(2);
    CHECK(p > last && (!last || p == last + class_size(2)));
    last = p;
  }
}

/* ---- where bundles go and come from ---- */

/* A full bundle, no spare, and `bundles` more in hand. */
static void fill_to(unsigned class, unsigned bundles) {
  heap_give(&heap, heap.n);
  heap.class = class;
  heap_take(&heap, (1 + (u64)bundles) * limit_of(class));
  copse_thread_flush();
  heap_give(&heap, limit_of(class));
  CHECK(in_top(class) == limit_of(class) && in_spare(class) == 0);
}

FRESH(a_full_bundle_becomes_the_spare) {
  const unsigned class = 4, limit = limit_of(class);
  fill_to(class, 5);
  u64 before = locked(class);
  void *last = heap.p[heap.n - 1];
  heap_give(&heap, 1);
  CHECK(in_spare(class) == limit && in_top(class) == 1);
  /* And comes back when the top is empty, the empty one in its place. */
  CHECK(take(class) == last);
  CHECK(in_top(class) == 0 && in_spare(class) == limit);
  void *p = take(class);
  CHECK(in_top(class) == limit - 1 && in_spare(class) == 0 && mine()->spare[class]);
  CHECK(p == heap.p[heap.n + 1]);
  /* To and fro at the border of a bundle: not once the lock. */
  void *q[3];
  for (unsigned i = 0; i < 1000; i++) {
    for (unsigned j = 0; j < 3; j++) q[j] = heap.p[--heap.n];
    for (unsigned j = 0; j < 3; j++) give(q[j]);
    for (unsigned j = 0; j < 3; j++) heap.p[heap.n++] = take(class);
  }
  CHECK(locked(class) == before);
}

/* The figure of the recycler: with room it spares the lock, full it does not. */
static void spill_into(unsigned class, unsigned cap) {
  const unsigned limit = limit_of(class);
  fill_to(class, cap + 7);
  heap_give(&heap, limit); /* the spare is full now */
  u64 before = locked(class), pushes = mine()->pushes, flushes = mine()->flushes;
  for (unsigned i = 0; i < cap; i++) {
    heap_give(&heap, limit);
    CHECK(recycler_count(recycler_of(class, 0)) == i + 1);
  }
  CHECK(locked(class) == before && mine()->pushes == pushes + cap && mine()->flushes == flushes);
  for (unsigned i = 1; i <= 5; i++) {
    heap_give(&heap, limit);
    CHECK(recycler_count(recycler_of(class, 0)) == cap);
    CHECK(locked(class) == before + i && mine()->flushes == flushes + i);
  }
  CHECK(mine()->pushes == pushes + cap);
  heap_balance(&heap);
}

FRESH(recycler_before_the_lock) {
  const unsigned class = 9, limit = limit_of(class), cap = cap_of(class);
  CHECK(cap == copse_tunables.recycler);
  spill_into(class, cap);
  figure("locks taken for bundles", "0 of %u with room in the recycler, 5 of 5 without", cap);
  /* Back: what the top has, the spare, the recycler, and only then the lock. */
  u64 before = locked(class), pops = mine()->pops, there = in_top(class) + in_spare(class) + (u64)cap * limit;
  for (u64 i = 0; i < there; i++) {
    heap.p[heap.n++] = take(class);
    CHECK(locked(class) == before);
  }
  CHECK(mine()->pops == pops + cap && recycler_count(recycler_of(class, 0)) == 0);
  heap.p[heap.n++] = take(class);
  CHECK(locked(class) == before + 1);
  heap_balance(&heap);
}

FRESH(recycler_of_0_and_1) {
  copse_tunables.recycler = 0;
  spill_into(9, 0);
  copse_tunables.recycler = 1;
  spill_into(10, 1);
}

FRESH(recycler_is_bounded_in_bytes_too) {
  unsigned class = class_of_size(655360);
  CHECK(cap_of(class) < copse_tunables.recycler && cap_of(class) == RECYCLER_BYTES / (2 * 655360));
  copse_tunables.recycler = 1000;
  spill_into(class, cap_of(class));
  spill_into(class_of_size(512), cap_of(class_of_size(512)));
}

static void give_all(void *argument) {
  struct heap *h = argument;
  heap_give(h, h->n);
}

FRESH(what_one_frees_another_takes) {
  const unsigned class = 11, limit = limit_of(class);
  struct worker w;
  worker_start(&w);
  heap.class = class;
  heap_take(&heap, 10 * limit);
  copse_thread_flush();
  worker_do(&w, give_all, &heap);
  unsigned there = recycler_count(recycler_of(class, 0));
  CHECK(there > 0);
  heap_balance(&heap);
  u64 before = locked(class);
  heap_take(&heap, (u64)there * limit);
  CHECK(locked(class) == before);
  heap_balance(&heap);
  heap_take(&heap, 1);
  CHECK(locked(class) == before + 1);
  worker_end(&w);
  heap_balance(&heap);
}

/* Producer and consumer: bundles go round, and no new ones are made. */
FRESH(empty_bundles_go_round) {
  struct worker w;
  worker_start(&w);
  heap.class = 6;
  u64 own = 0, system_calls = 0;
  for (unsigned round = 0; round < 300; round++) {
    heap_take(&heap, 5000);
    worker_do(&w, give_all, &heap);
    if (round == 20) {
      own = copse_region_own_bytes;
      system_calls = copse_vm_counters.system_calls;
    }
  }
  CHECK(copse_region_own_bytes == own && copse_vm_counters.system_calls == system_calls);
  worker_end(&w);
  heap_balance(&heap);
}

/* More than the list that threads share can hold stays with the thread, and none is lost. */
FRESH(more_empty_bundles_than_are_shared) {
  enum { FULL = 9, DEPTH = 7 };
  u64 own = 0, length = 0;
  copse_tunables.depth_1k = DEPTH;
  copse_tunables.recycler = RECYCLER_MAX;
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned class = 0; class < FULL; class++) {
      heap = (struct heap){.class = class};
      heap_take(&heap, (RECYCLER_MAX + 2) * DEPTH);
      heap_give(&heap, heap.n);
    }
    for (unsigned class = 0; class < FULL; class++) copse_cache_drain(mine(), region_at(mine()->arena, class));
    copse_thread_flush();
    CHECK(mine()->empties_count > EMPTIES_KEPT && mine()->empties_count < FULL * (RECYCLER_MAX + 2));
    length = 0;
    for (struct bundle *b = mine()->empties; b; b = b->batch) length++;
    CHECK(length == mine()->empties_count);
    if (!round) own = copse_region_own_bytes;
  }
  CHECK(copse_region_own_bytes == own);
  balance_empty();
}

/* ---- depth that is changed while bundles are out ---- */

FRESH(depth_is_lowered) {
  const unsigned class = 7, full = limit_of(class);
  heap.class = class;
  heap_take(&heap, 5000);
  heap_give(&heap, 2000);
  CHECK(depth(class) == full);
  copse_tunables.depth_1k = 8;
  heap_give(&heap, full * 3);
  /* Bundles that were opened since are as deep as it says now. */
  CHECK(depth(class) == 8);
  heap_balance(&heap);
  heap_take(&heap, 5000);
  CHECK(depth(class) <= 8);
  heap_balance(&heap);
  copse_tunables.depth_1k = full;
  heap_give(&heap, 5000);
  CHECK(depth(class) == full);
  heap_take(&heap, 3000);
  heap_balance(&heap);
  heap_give(&heap, heap.n);
  copse_thread_flush();
  heap_balance(&heap);
}

FRESH(depths_at_random) {
  u64 random = 42;
  heap.class = 13;
  for (unsigned i = 0; i < LESS(3000); i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    u64 n = (random >> 33) % 300;
    if (random >> 63)
      heap_take(&heap, min_u64(n, 20000 - heap.n));
    else
      heap_give(&heap, min_u64(n, heap.n));
    if (n % 7 == 0) copse_tunables.depth_1k = 4 + n % 117;
    if (n % 11 == 0) copse_tunables.recycler = n % 13;
    if (n % 101 == 0) copse_trim();
    if (i % 16 == 0) heap_balance(&heap);
  }
  heap_balance(&heap);
}

/* ---- flush and follow ---- */

FRESH(flush_returns_everything) {
  heap.class = 0;
  for (unsigned class = 0; class < CLASSES; class++) {
    heap.class = class;
    heap_take(&heap, 3 * limit_of(class));
    for (u64 i = 0; i < 3 * limit_of(class) - 1; i++) give(heap.p[--heap.n]);
  }
  CHECK(copse_cache_holds(mine()));
  for (unsigned class = 0; class < CLASSES; class++) copse_cache_drain(mine(), class);
  copse_cache_flush_owner(mine());
  CHECK(!copse_cache_holds(mine()));
  for (unsigned class = 0; class < CLASSES; class++) {
    CHECK(mine()->hot.top[class] == dummy_top() && mine()->spare[class] == 0 && mine()->depth[class] == 0);
    CHECK(copse_cache_count(class) == 0);
  }
  heap_balance(&heap);
  CHECK(heap.n == CLASSES);
}

FRESH(follow_flushes_once_a_generation) {
  heap.class = 8;
  heap_take(&heap, 300);
  heap_give(&heap, 200);
  u64 cached = copse_cache_count(8);
  CHECK(cached > 0);
  copse_cache_follow_owner(mine());
  CHECK(copse_cache_count(8) == cached); /* nobody asked */
  add_relaxed(&copse_generation, (u64)1);
  CHECK(mine()->seen != copse_generation);
  copse_cache_follow_owner(mine());
  CHECK(mine()->seen == copse_generation && !copse_cache_holds(mine()));
  heap_take(&heap, 10);
  copse_cache_follow_owner(mine());
  CHECK(copse_cache_holds(mine()));
  /* An exchange follows by itself: refill, and spill. */
  add_relaxed(&copse_generation, (u64)1);
  heap_take(&heap, 200);
  CHECK(mine()->seen == copse_generation);
  add_relaxed(&copse_generation, (u64)1);
  heap_give(&heap, 300);
  CHECK(mine()->seen == copse_generation);
  heap_balance(&heap);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(dummy_is_empty_and_full),
    cmocka_unit_test(first_call_may_be_a_free),
    cmocka_unit_test(bundles_are_opened_deeper_by_and_by),
    cmocka_unit_test(freed_ones_deepen_the_bundle_too),
    cmocka_unit_test(addresses_ascend),
    cmocka_unit_test(a_full_bundle_becomes_the_spare),
    cmocka_unit_test(recycler_before_the_lock),
    cmocka_unit_test(recycler_of_0_and_1),
    cmocka_unit_test(recycler_is_bounded_in_bytes_too),
    cmocka_unit_test(what_one_frees_another_takes),
    cmocka_unit_test(empty_bundles_go_round),
    cmocka_unit_test(more_empty_bundles_than_are_shared),
    cmocka_unit_test(depth_is_lowered),
    cmocka_unit_test(depths_at_random),
    cmocka_unit_test(flush_returns_everything),
    cmocka_unit_test(follow_flushes_once_a_generation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
