/* SPDX-License-Identifier: MIT */
/*
 * A thread's bundles as other threads have to do with them: spares that are taken away, what is counted, and whether anything is
 * held.  Each test in a process of its own.
 */
#include "cache_help.h"
#include "annotate.h"

/* ---- spares that are taken away ---- */

static void make_spare(void *argument) {
  struct heap *h = argument;
  heap_take(h, 400);
  heap_give(h, 100);
  CHECK(in_spare(h->class) > 0);
}
static void use_on(void *argument) {
  struct heap *h = argument;
  heap_give(h, 200);
  heap_take(h, 500);
}

FRESH(spare_of_a_blocked_thread) {
  struct worker w;
  worker_start(&w);
  heap.class = 3;
  worker_do(&w, make_spare, &heap);
  give(take(5));
  struct cache *other = copse_cache_first();
  if (other == mine()) other = other->next;
  u64 spare = other->spare[3] & (BUNDLE_BYTES - 1), cached = copse_cache_count(3);
  CHECK(spare > 0);
  copse_cache_take_spare(mine(), 3, other);
  CHECK(other->spare[3] == 0 && copse_cache_count(3) == cached - spare);
  heap_balance(&heap);
  copse_cache_take_spare(mine(), 3, other); /* there is none */
  CHECK(copse_cache_count(3) == cached - spare);
  worker_do(&w, use_on, &heap);
  heap_balance(&heap);
  worker_end(&w);
  heap_balance(&heap);
}

static u32 stop;

static void mutate(void *argument) {
  struct heap *h = argument;
  u64 random = (uptr)h;
  for (unsigned i = 0; i < LESS(20000); i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    u64 n = (random >> 33) % 200;
    if (random >> 63 && h->n < 1000) {
      heap_take(h, n);
      for (u64 j = 1; j <= n; j++) *(void **)h->p[h->n - j] = h->p[h->n - j];
    } else {
      n = min_u64(n, h->n);
      for (u64 j = 1; j <= n; j++) CHECK(*(void **)h->p[h->n - j] == h->p[h->n - j]);
      heap_give(h, n);
    }
  }
}

static void take_spares(void *argument) {
  (void)argument;
  give(take(0));
  while (!load_acquire(&stop))
    for (struct cache *c = copse_cache_first(); c; c = c->next)
      for (unsigned class = 0; class < 4; class++) {
        copse_annotate_enter();
        copse_cache_take_spare(mine(), class, c);
        copse_annotate_leave();
      }
}

/* The owners work, and two others take their spares all the time: nothing is lost, nothing is there twice. */
FRESH(spares_that_are_fought_over) {
  static struct worker w[2], thief[2];
  static struct heap h[2];
  for (unsigned i = 0; i < 2; i++) {
    worker_start(&w[i]);
    worker_start(&thief[i]);
    h[i].class = 2;
    worker_begin(&thief[i], take_spares, NULL);
    worker_begin(&w[i], mutate, &h[i]);
  }
  for (unsigned i = 0; i < 2; i++) worker_wait(&w[i]);
  store_release(&stop, (u32)1);
  for (unsigned i = 0; i < 2; i++) worker_wait(&thief[i]);
  struct live live = {0};
  for (unsigned i = 0; i < 2; i++)
    for (u64 j = 0; j < h[i].n; j++) live_add(&live, h[i].p[j]);
  balance(&live);
}

/* ---- looked at from elsewhere ---- */

/* A bundle may have begun another, shallower life since its number of slots was read: nothing behind it is. */
FRESH(what_statistics_read_may_be_old) {
  unsigned class = class_of_size(64);
  void *p = take(class);
  copse_trim();
  u64 before = copse_cache_count(class);
  struct bundle *made = copse_bundle_make(2);
  CHECK(made && made->batch == made + 1);
  for (unsigned i = 0; i < BUNDLE_SLOTS; i++) made[0].slot[i] = made[1].slot[i] = p;
  bundle_open(made, 7);
  store_relaxed(&mine()->spare[class], (uptr)made | 112);
  CHECK(copse_cache_count(class) == before + 7);
  store_relaxed(&mine()->spare[class], (u64)0);
  CHECK(copse_cache_count(class) == before);
}

/* An open bundle without a slot holds nothing: nobody waits for its thread. */
FRESH(an_empty_bundle_holds_nothing) {
  unsigned class = class_of_size(64);
  void *p[DEPTH_FIRST];
  CHECK(!mine() || !copse_cache_holds(mine()));
  for (unsigned i = 0; i < DEPTH_FIRST; i++) {
    p[i] = take(class);
    CHECK(copse_cache_holds(mine()) == (i + 1 < DEPTH_FIRST));
  }
  CHECK(depth(class) == DEPTH_FIRST && in_top(class) == 0);
  give(p[0]);
  CHECK(copse_cache_holds(mine()));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(spare_of_a_blocked_thread),
    cmocka_unit_test(spares_that_are_fought_over),
    cmocka_unit_test(what_statistics_read_may_be_old),
    cmocka_unit_test(an_empty_bundle_holds_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
