/* SPDX-License-Identifier: MIT */
/* Trim across all of it: who has to follow, what is taken from blocked threads, what comes back, and trims at once. */
#include "balance.h"
#include "copse-inline.h"
#include "resident.h"
#include "start.h"
#include "trim.h"
#include "tunables.h"
#include "vm_faults.h"
#include "worker.h"
#include <errno.h>
#include <string.h>
#include "beneath.h"

#define MB ((size_t)1 << 20)

static struct cache *mine(void) { return cache_of_thread(); }

struct heap {
  size_t size;
  unsigned n;
  void *p[4000];
};

static void heap_take(struct heap *h, unsigned n) {
  while (n--) {
    CHECK((h->p[h->n] = copse_alloc(h->size)));
    memset(h->p[h->n++], 0x77, h->size);
  }
}
static void heap_give(struct heap *h, unsigned n) {
  while (n--) copse_free(h->p[--h->n], h->size);
}

static void take_and_give(void *argument) {
  struct heap *h = argument;
  heap_take(h, 4000);
  heap_give(h, 4000);
}
static void take_one(void *argument) { heap_take(argument, 1); }
static void checkpoint(void *argument) {
  (void)argument;
  copse_checkpoint();
}
static void flush(void *argument) {
  (void)argument;
  copse_thread_flush();
}
static void trim(void *argument) { *(u64 *)argument = copse_trim(); }

FRESH(nothing_before_the_first_allocation) {
  CHECK(copse_trim() == 0 && copse_trim_pending() == 0 && !copse_started());
  copse_checkpoint();
  copse_thread_flush();
  CHECK(!copse_started() && copse_generation == 0 && copse_vm_counters.system_calls == 0);
}

FRESH(generation_and_return) {
  static struct heap h = {.size = 500};
  take_and_give(&h);
  u64 before = copse_vm_counters.decommitted;
  size_t bytes = copse_trim();
  CHECK(copse_generation == 1 && mine()->seen == 1);
  CHECK(bytes >= 4000 * 500 - 100000 && bytes == copse_vm_counters.decommitted - before);
  CHECK(copse_trim_pending() == 0);
  CHECK(!copse_cache_holds(mine()));
  copse_trim();
  CHECK(copse_generation == 2);
  balance_empty();
}

/* Three that hold something: each is pending until its own checkpoint. */
FRESH(pending_falls_by_checkpoints) {
  static struct worker w[3];
  static struct heap h[3] = {{.size = 64}, {.size = 640}, {.size = 6400}};
  u64 base = resident();
  for (unsigned t = 0; t < 3; t++) {
    worker_start(&w[t]);
    worker_do(&w[t], take_and_give, &h[t]);
  }
  copse_free(copse_alloc(1), 1);
  CHECK(copse_trim_pending() == 0); /* nobody asked */
  copse_trim();
  CHECK(copse_trim_pending() == 3);
  for (unsigned t = 0; t < 3; t++) {
    worker_do(&w[t], checkpoint, NULL);
    CHECK(copse_trim_pending() == 2 - t);
    worker_do(&w[t], checkpoint, NULL);
    CHECK(copse_trim_pending() == 2 - t);
  }
  balance_empty();
  copse_trim();
  CHECK(copse_trim_pending() == 0); /* they hold nothing: they are asked nothing */
  u64 after = resident();
  for (unsigned class = 0; class < CLASSES; class++) CHECK(copse_cache_count(class) == 0);
  if (!UNDER_SANITIZER) CHECK(after <= base + 4 * MB);
  figure("pending", "3, 2, 1, 0 by checkpoints");
  figure("resident after trim", "%.1f MB above the start", ((double)after - (double)base) / (double)MB);
  for (unsigned t = 0; t < 3; t++) worker_end(&w[t]);
}

FRESH(blocked_and_empty_threads_do_not_count) {
  static struct worker idle, flushed, ended, exchanging;
  static struct heap h = {.size = 100}, g = {.size = 100};
  worker_start(&idle);
  worker_start(&flushed);
  worker_start(&ended);
  worker_start(&exchanging);
  worker_do(&flushed, take_and_give, &h);
  worker_do(&flushed, flush, NULL);
  copse_free(copse_alloc(1), 1);
  copse_trim();
  CHECK(copse_trim_pending() == 0);
  worker_do(&ended, take_one, &h);
  worker_do(&exchanging, take_and_give, &g);
  copse_trim();
  CHECK(copse_trim_pending() == 2);
  worker_end(&ended);
  CHECK(copse_trim_pending() == 1);
  /* An exchange follows as well as a checkpoint does. */
  worker_do(&exchanging, take_and_give, &g);
  CHECK(copse_trim_pending() == 0);
  worker_end(&exchanging);
  worker_end(&idle);
  worker_end(&flushed);
  heap_give(&h, 1);
  copse_thread_flush();
  balance_empty();
}

/* Spares and recyclers do not wait for anybody. */
FRESH(what_a_blocked_thread_does_not_work_on_is_taken) {
  static struct worker w;
  static struct heap h = {.size = 1024};
  worker_start(&w);
  worker_do(&w, take_and_give, &h);
  unsigned class = copse_class_(1024);
  u64 cached = copse_cache_count(class);
  CHECK(cached > 3 * 64 && recycler_count(recycler_of(class, 0)) > 0);
  copse_trim();
  CHECK(copse_cache_count(class) <= copse_tunables.depth_1k && recycler_count(recycler_of(class, 0)) == 0);
  CHECK(copse_trim_pending() == 1);
  balance_empty();
  worker_do(&w, take_and_give, &h); /* it goes on as if nothing had been */
  balance_empty();
  worker_end(&w);
}

FRESH(from_a_thread_without_a_cache) {
  static struct worker w;
  static struct heap h = {.size = 2000};
  take_and_give(&h);
  worker_start(&w);
  u64 bytes = 0;
  worker_do(&w, trim, &bytes);
  CHECK(bytes > 0 && copse_trim_pending() == 1);
  unsigned taken = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next) taken += c->taken;
  CHECK(taken == 1); /* it borrowed a record, and left it */
  worker_end(&w);
  balance_empty();
}

FRESH(no_memory_for_a_record) {
  static struct worker w;
  static struct heap h = {.size = 2000};
  take_and_give(&h);
  copse_thread_flush();
  while (copse_region_own(1 << 16, 64)) continue;
  while (copse_region_own(64, 64)) continue;
  worker_start(&w);
  u64 bytes = 0;
  worker_do(&w, trim, &bytes);
  CHECK(bytes > 0);
  worker_end(&w);
  balance_empty();
}

FRESH(spans_are_given_back) {
  void *p = copse_alloc(10 * MB);
  CHECK(p);
  memset(p, 1, 10 * MB);
  copse_free(p, 10 * MB);
  CHECK(copse_span_counters.cached >= 10 * MB);
  CHECK(copse_trim() >= 10 * MB);
  CHECK(copse_span_counters.cached == 0 && copse_vm_counters.in_use == 0);
  CHECK(copse_span_valid());
}

/* To take back the access of what has no pages any more, before memory is said to be out, gives no bytes back once more. */
FRESH(what_is_bare_is_not_given_back_again) {
  static struct heap h = {.size = 1000};
  static struct copse_stats before, after;
  copse_tune_set("huge", 0);
  take_and_give(&h);
  CHECK(copse_trim() >= 4000 * 1000);
  copse_stats(&before);
  copse_tune_set("limit", MB);
  CHECK(!copse_alloc(2 * MB));
  copse_stats(&after);
  CHECK(after.committed < before.committed && after.decommitted == before.decommitted);
}

/* What a trim returns is what the statistics count, of spans that end within a granule too. */
FRESH(of_spans_no_more_is_counted_than_returned) {
  static const size_t sizes[] = {MB + 1, 3 * MB, 5 * MB + 100000};
  static struct copse_stats before, after;
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *p = copse_alloc(sizes[i]);
    CHECK(p);
    memset(p, 1, sizes[i]);
    copse_free(p, sizes[i]);
    copse_stats(&before);
    size_t bytes = copse_trim();
    copse_stats(&after);
    CHECK(bytes >= sizes[i] && bytes == after.decommitted - before.decommitted);
  }
}

/* What has been asked for is not asked for again: of all classes, with two thirds of the objects freed at random, and all. */
FRESH(a_second_trim_has_nothing_to_do) {
  enum { EACH = 300 };
  static void *p[CLASSES][EACH];
  u64 random = 99;
  vm_faults_install();
  for (unsigned round = 0; round < 4; round++) {
    for (unsigned class = 0; class < CLASSES; class++)
      for (unsigned i = 0; i < (class < 40 ? EACH : 20); i++)
        if (!p[class][i]) {
          CHECK((p[class][i] = copse_alloc(class_size(class))));
          *(char *)p[class][i] = 1;
        }
    for (unsigned class = 0; class < CLASSES; class++)
      for (unsigned i = 0; i < EACH; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (!p[class][i] || (round < 3 && (random >> 33) % 3 == 0)) continue;
        copse_free_unsized(p[class][i]);
        p[class][i] = NULL;
      }
    CHECK(copse_trim() > 0);
    u64 calls = vm_faults.calls[VM_MADVISE];
    CHECK(copse_trim() == 0);
    CHECK(vm_faults.calls[VM_MADVISE] == calls);
  }
  balance_empty();
}

FRESH(cooldown_is_the_parameter) {
  static struct heap h = {.size = 4096};
  for (u64 cooldown = 0; cooldown <= 3; cooldown++) {
    CHECK(copse_tune_set("cooldown", cooldown) == 0);
    take_and_give(&h);
    copse_thread_flush();
    u64 n = 1;
    while (copse_trim() < 1 * MB) CHECK(n++ < 10);
    CHECK(n == cooldown + 1);
    balance_empty();
  }
}

FRESH(errno_stays) {
  static struct heap h = {.size = 300};
  vm_faults_install();
  take_and_give(&h);
  vm_faults_fail_from(VM_MADVISE, 1);
  errno = 1234;
  copse_trim();
  copse_checkpoint();
  copse_thread_flush();
  CHECK(errno == 1234 && vm_faults.failed > 0);
  balance_empty();
}

/* ---- many at once ---- */

static void work_on(void *argument) {
  struct heap *h = argument;
  u64 random = (uptr)h;
  for (unsigned i = 0; i < LESS(3000); i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    unsigned n = (unsigned)(random >> 33) % 150;
    if (random >> 63 && h->n + n <= 2000) {
      for (unsigned j = 0; j < n; j++) {
        CHECK((h->p[h->n] = copse_alloc(h->size)));
        memset(h->p[h->n++], (int)h->size, h->size);
      }
    } else {
      for (unsigned j = 0; j < n && h->n; j++) {
        unsigned char *p = h->p[--h->n];
        CHECK(p[0] == (unsigned char)h->size && memcmp(p, p + 1, h->size - 1) == 0);
        copse_free(p, h->size);
      }
    }
    if (i % 64 == 0) copse_checkpoint();
  }
}

static u32 stop;
static void trim_on(void *argument) {
  while (!load_acquire(&stop)) *(u64 *)argument += copse_trim();
}

FRESH(trims_at_once_under_load) {
  static struct worker w[3], t[2];
  static struct heap h[3] = {{.size = 48}, {.size = 1000}, {.size = 5000}};
  static u64 bytes[2];
  for (unsigned i = 0; i < 3; i++) {
    worker_start(&w[i]);
    worker_begin(&w[i], work_on, &h[i]);
  }
  for (unsigned i = 0; i < 2; i++) {
    worker_start(&t[i]);
    worker_begin(&t[i], trim_on, &bytes[i]);
  }
  for (unsigned i = 0; i < 3; i++) worker_wait(&w[i]);
  store_release(&stop, (u32)1);
  for (unsigned i = 0; i < 2; i++) worker_wait(&t[i]);
  CHECK(bytes[0] + bytes[1] > 0);
  struct live live = {0};
  for (unsigned i = 0; i < 3; i++)
    for (unsigned j = 0; j < h[i].n; j++) live_add(&live, h[i].p[j]);
  balance(&live);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_before_the_first_allocation),
    cmocka_unit_test(generation_and_return),
    cmocka_unit_test(pending_falls_by_checkpoints),
    cmocka_unit_test(blocked_and_empty_threads_do_not_count),
    cmocka_unit_test(what_a_blocked_thread_does_not_work_on_is_taken),
    cmocka_unit_test(from_a_thread_without_a_cache),
    cmocka_unit_test(no_memory_for_a_record),
    cmocka_unit_test(spans_are_given_back),
    cmocka_unit_test(what_is_bare_is_not_given_back_again),
    cmocka_unit_test(of_spans_no_more_is_counted_than_returned),
    cmocka_unit_test(a_second_trim_has_nothing_to_do),
    cmocka_unit_test(cooldown_is_the_parameter),
    cmocka_unit_test(errno_stays),
    cmocka_unit_test(trims_at_once_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
