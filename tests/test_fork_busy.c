/* SPDX-License-Identifier: MIT */
/*
 * A hundred forks while other threads allocate, free and trim: the children hand out nothing that is live, nothing twice,
 * and find every slot: the equation of each pool is exact there, but for the objects that a thread was about to note or to free.
 */
#include "fork_help.h"

enum { LOADERS = 3, FORKS = 100 };
static struct worker loader[LOADERS];
static struct heap load[LOADERS] = {{.size = 64}, {.size = 64}, {.size = 3000}};
static u32 stop;
static struct shown {
  u64 asking, lost, forks;
} *shown; /* shared with the children */

static void load_on(void *argument) {
  struct heap *h = argument;
  u64 random = (uptr)h;
  while (!load_acquire(&stop)) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    unsigned n = (unsigned)(random >> 33) % 300;
    if (random >> 63 && h->n + n < 3000)
      heap_take(h, n);
    else
      heap_give(h, n < h->n ? n : h->n);
    if (n == 7) copse_trim();
    if (n < 100) usleep(100); /* the children want a processor too */
  }
}

static void under_load_child(void) {
  static struct copse_stats stats;
  static struct live live;
  u64 asking[CLASSES] = {0};
  for (unsigned t = 0; t < LOADERS; t++) {
    live_of(&live, &load[t]);
    asking[copse_class_(load[t].size)] += load[t].asks;
    shown->asking += load[t].asks;
  }
  live_of(&live, &heap);
  copse_stats(&stats);
  for (unsigned class = 0; class < CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    int64_t missing = (int64_t)(64 * c->blocks) - (int64_t)(live.slots[class] + slots_found(c));
    if (missing < 0 || missing > (int64_t)asking[class])
      fprintf(stderr, "class %u: %lld slots missing, %llu asked for or given back\n", class, (long long)missing,
              (unsigned long long)asking[class]);
    /* All are found, but for those that a thread was being given, or gave. */
    CHECK(missing >= 0 && missing <= (int64_t)asking[class]);
    shown->lost += c->lost;
  }
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) CHECK(copse_pool_valid(p));
  /* Nothing that is live comes out a second time, nor anything twice. */
  static struct heap h[2] = {{.size = 64}, {.size = 3000}};
  for (unsigned i = 0; i < 2; i++) {
    heap_take(&h[i], 1000);
    for (unsigned j = 0; j < h[i].n; j++) *(void **)h[i].p[j] = NULL;
    for (unsigned t = 0; t < LOADERS; t++)
      for (unsigned j = 0; j < load[t].n; j++) *(void **)load[t].p[j] = &load[t];
    for (unsigned j = 0; j < h[i].n; j++) {
      CHECK(*(void **)h[i].p[j] == NULL);
      *(void **)h[i].p[j] = &h[i];
    }
    for (unsigned j = 0; j < heap.n; j++) CHECK(*(void **)heap.p[j] == &heap);
  }
  for (unsigned t = 0; t < LOADERS; t++) heap_give(&load[t], load[t].n);
  for (unsigned i = 0; i < 2; i++) heap_give(&h[i], h[i].n);
  if (shown->forks++ % 10 == 0) use_all();
}

FRESH(a_hundred_under_load) {
  shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shown != MAP_FAILED);
  heap_take(&heap, 500);
  for (unsigned j = 0; j < heap.n; j++) *(void **)heap.p[j] = &heap;
  for (unsigned t = 0; t < LOADERS; t++) {
    worker_start(&loader[t]);
    worker_begin(&loader[t], load_on, &load[t]);
  }
  for (unsigned i = 0; i < LESS(FORKS); i++) in_child(under_load_child);
  store_release(&stop, (u32)1);
  struct live live = {0};
  for (unsigned t = 0; t < LOADERS; t++) {
    worker_wait(&loader[t]);
    live_of(&live, &load[t]);
  }
  live_of(&live, &heap);
  balance(&live);
  for (unsigned t = 0; t < LOADERS; t++) worker_end(&loader[t]);
  figure("forks under load", "%u, %llu slots lost and %llu threads at one of their own, all others found", LESS(FORKS),
         (unsigned long long)shown->lost, (unsigned long long)shown->asking);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_hundred_under_load),
  };
  this_program_forks();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
