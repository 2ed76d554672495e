/* SPDX-License-Identifier: MIT */
/* Caches where memory ends: a region that is full, no memory for a bundle or a record, and every system call refused. */
#include "cache_help.h"
#include <sys/mman.h>

/* ---- a region that is full ---- */

static void reserve_least(void) { CHECK(copse_tune_set("reserve", (u64)1 << 27) == 0); }

FRESH(borrowing) {
  static void *p[200000];
  static const size_t sizes[] = {48, 4096, 1024, 12288, 655360};
  reserve_least();
  struct live live = {0};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    unsigned class = class_of_size(sizes[i]);
    u64 n = 0, borrowed = 0;
    take(class);
    u64 all = copse_pools[class].slots_max;
    copse_free_unsized(pool_address(&copse_pools[class], 0));
    while (n < all + 3) {
      void *q = copse_alloc(sizes[i]);
      if (!q) break;
      CHECK(copse_usable_size(q) >= sizes[i]);
      CHECK((uptr)q % class_alignment(class) == 0);
      live_add(&live, q);
      borrowed += region_of(q) != class;
      p[n++] = q;
    }
    if (sizes[i] < 655360)
      CHECK(n == all + 3 && borrowed == 3);
    else
      CHECK(borrowed > 0 && borrowed <= 2); /* the largest class alone is larger */
    balance(&live);
    for (u64 j = 0; j < n; j++) give(p[j]);
    live = (struct live){0};
    balance(&live);
    /* Its own are used again. */
    void *again = take(class);
    give(again);
  }
}

static void *direct_zero(unsigned class, bool *zero) { return beneath_told(copse_direct_alloc_zero(class, zero), true); }

/* The same of zeroed requests, which go past the cache: who is exhausted borrows, who is refused does not. */
FRESH(exhaustion_and_refusal_of_zeroed_requests) {
  enum { MOST = 200 };
  static void *p[MOST];
  unsigned full = class_of_size(16384), refused = class_of_size(20480), larger = class_of_size(32768), n = 0;
  bool zero;
  reserve_least();
  give(take(larger));
  copse_thread_flush();
  CHECK(copse_pools[larger].frontier > 1);
  u64 all = copse_pools[full].slots_max;
  CHECK(all < MOST);
  for (; n < all; n++) CHECK((p[n] = direct_zero(full, &zero)) && region_of(p[n]) == full && zero);
  void *lent = direct_zero(full, &zero);
  CHECK(lent && region_of(lent) > full);
  copse_free_unsized(lent);
  copse_thread_flush();
  vm_faults_install();
  vm_faults_fail_from(VM_ANY, 1);
  CHECK(!direct_zero(refused, &zero));
  lent = direct_zero(full, &zero); /* no call is needed for this one */
  CHECK(lent && region_of(lent) > full);
  vm_faults_remove();
  copse_free_unsized(lent);
  while (n) copse_free_unsized(p[--n]);
  balance_empty();
}

/* A system, or a limit, that refuses is not a region that is full: nothing is borrowed for that. */
FRESH(refused_is_not_full) {
  heap.class = class_of_size(128);
  heap_take(&heap, 5000);
  heap_give(&heap, 5000);
  copse_thread_flush();
  for (unsigned class = 0; class < CLASSES; class++) copse_cache_drain(mine(), class);
  CHECK(copse_pools[class_of_size(128)].frontier >= 5000);
  copse_tunables.limit = copse_vm_counters.in_use;
  /* Refused below the limit: what is free of the larger class is given back for it, and not borrowed. */
  void *p = copse_alloc(96), *q = copse_alloc_zeroed(96);
  CHECK(p && q && region_of(p) == class_of_size(96) && region_of(q) == class_of_size(96));
  copse_free(p, 96);
  copse_free(q, 96);
  copse_thread_flush();
  /* Now there is nothing to give back. */
  copse_trim();
  copse_tunables.limit = 1;
  errno = 0;
  CHECK(!copse_alloc(2000) && errno == ENOMEM);
  CHECK(!copse_alloc_zeroed(2000));
  copse_tunables.limit = 0;
  take(class_of_size(128));
  copse_tunables.limit = 0;
  vm_faults_install();
  vm_faults_fail_from(VM_ANY, 1);
  p = copse_alloc(96);
  CHECK(!p || region_of(p) == class_of_size(96)); /* the step before may have been taken, and not used */
  CHECK(!copse_alloc(48) && !copse_alloc(48));
  vm_faults_fail_none();
  CHECK((p = copse_alloc(48)) && region_of(p) == class_of_size(48));
}

FRESH(nothing_left_is_not_for_good) {
  reserve_least();
  void *p[8];
  unsigned n = 0;
  while ((p[n] = copse_alloc(MB))) CHECK(++n < 8);
  CHECK(errno == ENOMEM && n == 2);
  for (unsigned i = 0; i < 3; i++) {
    errno = 0;
    CHECK(!copse_alloc(MB) && errno == ENOMEM);
    CHECK(!copse_alloc_zeroed(MB));
  }
  give(p[--n]);
  CHECK(copse_alloc(MB));
  CHECK(!copse_alloc(MB));
}

/* ---- refused memory ---- */

FRESH(no_bundle_no_matter) {
  heap.class = 1;
  give(take(1));
  copse_thread_flush();
  /* Nothing of copse's own can be had, and what bundles this thread has are hidden. */
  while (copse_region_own(1 << 16, 64)) continue;
  while (copse_region_own(64, 64)) continue;
  struct bundle *kept = mine()->empties;
  unsigned count = mine()->empties_count;
  mine()->empties = NULL;
  mine()->empties_count = 0;
  heap_take(&heap, 100);
  CHECK(in_top(1) == 0 && copse_cache_count(1) == 0);
  heap_balance(&heap);
  heap_give(&heap, 50);
  CHECK(copse_cache_count(1) == 0);
  heap_balance(&heap);
  mine()->empties = kept;
  mine()->empties_count = count;
  heap_take(&heap, 100);
  CHECK(copse_cache_count(1) > 0);
  heap_balance(&heap);
}

static void use_directly(void *argument) {
  struct heap *h = argument;
  heap_take(h, 200);
  CHECK(mine() == NULL);
  heap_give(h, 100);
  CHECK(mine() == NULL && copse_alloc_zeroed(20000));
  copse_thread_flush();
  copse_checkpoint();
  CHECK(copse_trim() || 1);
}

FRESH(no_record_no_matter) {
  static struct worker w;
  give(take(1));
  copse_thread_flush();
  while (copse_region_own(1 << 16, 64)) continue;
  while (copse_region_own(64, 64)) continue;
  worker_start(&w);
  heap.class = 2;
  worker_do(&w, use_directly, &heap);
  worker_end(&w);
  struct live live = {0};
  for (u64 i = 0; i < heap.n; i++) live_add(&live, heap.p[i]);
  live.slots[class_of_size(20000)]++;
  balance(&live);
}

/* A thread that has ended, in a destructor behind copse's, is served as the others are. */
static pthread_key_t behind;
static void *served[2];
static void serve(void *again) {
  if (mine()) {
    pthread_setspecific(behind, again);
    return;
  }
  served[0] = copse_alloc(3 * MB);
  served[1] = copse_alloc(64);
}
static void *end_behind(void *argument) {
  give(copse_alloc(16));
  CHECK(pthread_setspecific(behind, argument) == 0);
  return NULL;
}

FRESH(a_thread_that_ended_gets_what_there_is) {
  enum { N = 60 };
  void *p[N];
  pthread_t thread;
  CHECK(pthread_key_create(&behind, serve) == 0 && copse_tune_set("limit", 64 * MB) == 0);
  for (unsigned i = 0; i < N; i++) CHECK((p[i] = copse_alloc(MB)));
  for (unsigned i = 0; i < N; i++) give(p[i]);
  CHECK(pthread_create(&thread, NULL, end_behind, &behind) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(served[0] && served[1]);
  give(served[0]);
  give(served[1]);
  balance_empty();
}

/* What is refused of copse's own, a record or bundles, takes nothing from what there is of it: not after any number of refusals. */
static void give_if(void *p) {
  if (p) give(p);
}
static void be_refused(void *argument) {
  (void)argument;
  vm_faults_fail_from(VM_MPROTECT, 1);
  for (unsigned i = 0; i < 3000; i++) give_if(copse_alloc(64));
  vm_faults_fail_none();
  give(copse_alloc(64));
  CHECK(mine() && copse_cache_holds(mine()));
}

FRESH(refusals_use_up_nothing) {
  static struct worker w;
  CHECK(copse_tune_set("reserve", (u64)1 << 28) == 0);
  vm_faults_install();
  give(copse_alloc(64));
  worker_start(&w);
  worker_do(&w, be_refused, NULL);
  worker_end(&w);
  balance_empty();
}

/* A start that is refused and made again counts what it has once. */
static u64 metadata_after(unsigned refusals) {
  static struct copse_stats stats;
  vm_faults_install();
  for (unsigned i = 0; i < refusals; i++) {
    vm_faults_fail(VM_MPROTECT, 2);
    CHECK(!copse_start());
    vm_faults_fail_none();
  }
  CHECK(copse_start());
  copse_stats(&stats);
  return stats.metadata;
}
static void *metadata_shared;
static void start_at_once(void) { *(u64 *)metadata_shared = metadata_after(0); }
static void start_after_refusals(void) { CHECK(metadata_after(10) == *(u64 *)metadata_shared); }

static void metadata_counts_once(void **state) {
  (void)state;
  metadata_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fresh(start_at_once);
  fresh(start_after_refusals);
}

/* A life of its own: of every system call that it makes each in turn is refused, and then that one and all behind it. */
static u64 refuse_at;
static int refuse_on;
static u64 calls_made;

static void life(void) {
  static void *p[CLASSES][100];
  struct live live = {0};
  vm_faults_install();
  copse_tunables.growth_min = 4096;
  if (refuse_at && refuse_on) vm_faults_fail_from(VM_ANY, refuse_at);
  if (refuse_at && !refuse_on) vm_faults_fail(VM_ANY, refuse_at);
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned class = 0; class < CLASSES; class += 7)
      for (unsigned i = 0; i < (class < 40 ? 100 : 10); i++) {
        errno = 0;
        p[class][i] = i % 5 ? copse_alloc(class_size(class)) : copse_alloc_zeroed(class_size(class));
        CHECK(p[class][i] ? errno == 0 : errno == ENOMEM);
        CHECK(p[class][i] || vm_faults.failed);
        if (p[class][i] && !(i % 5)) CHECK(*(u64 *)p[class][i] == 0);
        if (p[class][i]) *(u64 *)p[class][i] = ~(u64)0;
        if (p[class][i]) live_add(&live, p[class][i]);
      }
    void *span = copse_alloc(5 * MB);
    CHECK(span || (errno == ENOMEM && vm_faults.failed));
    balance(&live);
    for (unsigned class = 0; class < CLASSES; class += 7)
      for (unsigned i = 0; i < (class < 40 ? 100 : 10); i++)
        if (p[class][i]) copse_free(p[class][i], class_size(class));
    if (span) copse_free(span, 5 * MB);
    live = (struct live){0};
    balance(&live);
    copse_trim();
    balance(&live);
  }
  u64 failed = vm_faults.failed;
  calls_made = vm_faults.calls[VM_ANY];
  vm_faults_fail_none();
  CHECK(!refuse_at || failed);
  /* And it works again. */
  for (unsigned class = 0; class < CLASSES; class++) give(take(class));
  void *span = copse_alloc(5 * MB);
  CHECK(span);
  copse_free(span, 5 * MB);
  balance(&live);
}

static void count_calls(void) {
  life();
  _exit(calls_made < 250 ? (int)calls_made : 250);
}

static void every_call_refused(void **state) {
  (void)state;
  refuse_at = 0;
  int status = process_status(count_calls);
  assert_true(WIFEXITED(status));
  unsigned calls = (unsigned)WEXITSTATUS(status);
  assert_in_range(calls, 20, 249);
  for (refuse_on = 0; refuse_on < 2; refuse_on++)
    for (refuse_at = 1; refuse_at <= calls; refuse_at += UNDER_SANITIZER ? 7 : 1) {
      status = process_status(life);
      if (status) fail_msg("call %llu%s: status %#x", (unsigned long long)refuse_at, refuse_on ? " and on" : "", status);
    }
  figure("calls that were refused in turn", "%u", calls);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(borrowing),
    cmocka_unit_test(exhaustion_and_refusal_of_zeroed_requests),
    cmocka_unit_test(refused_is_not_full),
    cmocka_unit_test(nothing_left_is_not_for_good),
    cmocka_unit_test(no_bundle_no_matter),
    cmocka_unit_test(no_record_no_matter),
    cmocka_unit_test(a_thread_that_ended_gets_what_there_is),
    cmocka_unit_test(refusals_use_up_nothing),
    cmocka_unit_test(metadata_counts_once),
    cmocka_unit_test(every_call_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
