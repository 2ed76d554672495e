/* SPDX-License-Identifier: MIT */
/* The records of threads: taken by one thread at a time, left at its end, used again; and a thread's life after its cache. */
#include "balance.h"
#include "copse-inline.h"
#include "start.h"
#include "vm_faults.h"
#include "worker.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

static struct cache *mine(void) { return cache_of_thread(); }

static unsigned records(void) {
  unsigned n = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next) n++;
  return n;
}

static unsigned records_taken(void) {
  unsigned n = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next) n += load_relaxed(&c->taken);
  return n;
}

/* ---- records ---- */

FRESH(taken_left_and_taken_again) {
  CHECK(copse_start() && records() == 0);
  struct cache *a = copse_cache_attach(), *b = copse_cache_attach();
  CHECK(a && b && a != b && a->taken && b->taken && records() == 2);
  CHECK((uptr)a % APART == 0 && region_of(a) == region_own());
  CHECK(a->hot.key == (uptr)region_base(region_at(a->arena, 0)) && a->hot.bits == copse_regions.bits);
  /* Where few objects begin: see cache.h. */
  CHECK(((uptr)&a->hot & (RECORD_ALIGNMENT - 1)) == HOT_OFFSET && cache_of_hot(&a->hot) == a);
  CHECK(!copse_cache_holds(a) && a->seen == copse_generation);
  for (unsigned i = 0; i < COPSE_TOPS_; i++) CHECK(a->hot.top[i] == (i < ARENA_REGIONS ? dummy_top() : NULL));
  CHECK(a->arena == 0 && b->arena == 1 % copse_regions.arenas);
  copse_cache_detach_owner(a);
  CHECK(!a->taken && b->taken && records() == 2);
  add_relaxed(&copse_generation, (u64)1);
  CHECK(copse_cache_attach() == a && a->taken && records() == 2);
  CHECK(a->seen == copse_generation && b->seen != a->seen);
  copse_cache_detach_owner(b);
  copse_cache_detach_owner(a);
  CHECK(records_taken() == 0);
}

FRESH(detached_records_hold_nothing) {
  CHECK(copse_start());
  struct cache *c = copse_cache_attach();
  for (unsigned class = 0; class < CLASSES; class++) {
    void *p = copse_cache_refill_owner(c, class);
    CHECK(p && copse_cache_holds(c));
    copse_cache_spill_owner(c, (unsigned)region_of(p), p);
    CHECK(copse_cache_count(class) > 0);
  }
  copse_cache_detach_owner(c);
  CHECK(!copse_cache_holds(c));
  for (unsigned class = 0; class < CLASSES; class++) CHECK(copse_cache_count(class) == 0 && !c->spare[class]);
  balance_empty();
}

FRESH(counts_tops_spares_and_recyclers) {
  CHECK(copse_start());
  struct cache *a = copse_cache_attach(), *b = copse_cache_attach();
  const unsigned class = 12;
  void *p[3000];
  unsigned n = 0;
  for (; n < 3000; n++) {
    struct cache *c = n % 2 ? a : b;
    void **top = c->hot.top[class];
    if ((p[n] = top[-1]))
      c->hot.top[class]--;
    else
      CHECK((p[n] = copse_cache_refill_owner(c, class)));
  }
  struct live live = {0};
  live.slots[class] = n;
  balance(&live);
  while (n) {
    struct cache *c = n % 3 ? a : b;
    void **top = c->hot.top[class];
    n--;
    if ((uptr)top & (BUNDLE_BYTES - 1)) {
      *top = p[n];
      c->hot.top[class]++;
    } else {
      copse_cache_spill_owner(c, (unsigned)region_of(p[n]), p[n]);
    }
    live.slots[class] = n;
    if (n % 50 == 0) balance(&live);
  }
  CHECK(recycler_count(recycler_of(class, 0)) > 0);
  copse_cache_detach_owner(a);
  copse_cache_detach_owner(b);
  balance(&live);
}

FRESH(no_memory_for_a_record) {
  CHECK(copse_start());
  vm_faults_install();
  vm_faults_fail_from(VM_ANY, 1);
  CHECK(!copse_cache_attach() && records() == 0);
  vm_faults_fail_none();
  CHECK(copse_cache_attach() && records() == 1);
}

enum { THREADS = 6 };

static void attach_and_detach(void *argument) {
  (void)argument;
  for (unsigned i = 0; i < LESS(3000); i++) {
    struct cache *c = copse_cache_attach();
    CHECK(c);
    /* Nobody else has it. */
    CHECK(c->empties_count < 64 && __atomic_exchange_n(&c->depth[0], 77, __ATOMIC_RELAXED) == 0);
    __atomic_store_n(&c->depth[0], 0, __ATOMIC_RELAXED);
    void *p = copse_cache_refill_owner(c, 9);
    CHECK(p);
    copse_cache_spill_owner(c, (unsigned)region_of(p), p);
    copse_cache_detach_owner(c);
  }
}

FRESH(many_threads_share_few_records) {
  static struct worker w[THREADS];
  CHECK(copse_start());
  for (unsigned t = 0; t < THREADS; t++) worker_start(&w[t]);
  for (unsigned t = 0; t < THREADS; t++) worker_begin(&w[t], attach_and_detach, NULL);
  for (unsigned t = 0; t < THREADS; t++) worker_end(&w[t]);
  CHECK(records() <= THREADS && records_taken() == 0);
  balance_empty();
}

/* ---- threads ---- */

static void *allocate_some(void *argument) {
  void **out = argument;
  for (unsigned i = 0; i < 100; i++) CHECK((out[i] = copse_alloc(100)));
  for (unsigned i = 0; i < 50; i++) copse_free(out[i], 100);
  return NULL;
}

FRESH(threads_that_end_leave_their_records) {
  void *p[100];
  copse_free(copse_alloc(1), 1);
  CHECK(records() == 1);
  for (unsigned i = 0; i < 50; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, allocate_some, p) == 0);
    pthread_join(thread, NULL);
    CHECK(records() == 2 && records_taken() == 1);
    for (unsigned j = 50; j < 100; j++) copse_free(p[j], 100);
  }
  copse_thread_flush();
  copse_trim();
  balance_empty();
}

/* What a thread does once its cache is gone: destructors of keys made behind ours run behind ours, and again. */
static pthread_key_t late;
static void *kept[300];
static u64 rounds;

static void when_it_is_late(void *value) {
  CHECK(value == kept);
  u64 round = ++rounds;
  if (!mine()) {
    CHECK(copse_hot_of_thread_() == &copse_cache_exited.hot);
    unsigned taken = records_taken();
    u64 cached = copse_cache_count(copse_class_(100));
    for (unsigned i = 0; i < 100; i++) copse_free(kept[i], 100);
    for (unsigned i = 0; i < 100; i++) CHECK((kept[i] = copse_alloc(100)));
    CHECK(copse_alloc_zeroed(40000) && copse_realloc(copse_alloc(10), 10, 5000));
    void *span = copse_alloc((size_t)3 << 20);
    CHECK(span);
    copse_free_unsized(span);
    copse_checkpoint();
    copse_thread_flush();
    copse_trim();
    CHECK(copse_trim_pending() == 0);
    /* Nothing of it is cached, and no record is taken: there would be nobody to leave it. */
    CHECK(records_taken() == taken && !mine() && copse_cache_count(copse_class_(100)) <= cached);
    CHECK(copse_hot_of_thread_() == &copse_cache_exited.hot);
    CHECK(copse_cache_exited.hot.top[copse_class_(100)] == dummy_top());
  }
  if (round < 3) pthread_setspecific(late, value);
}

static void *live_and_die(void *argument) {
  (void)argument;
  CHECK(pthread_setspecific(late, kept) == 0);
  for (unsigned i = 0; i < 300; i++) CHECK((kept[i] = copse_alloc(100)));
  for (unsigned i = 100; i < 300; i++) copse_free(kept[i], 100);
  return NULL;
}

FRESH(use_after_the_end) {
  copse_free(copse_alloc(1), 1); /* ours is made first, so that this one's destructor runs behind it */
  copse_thread_flush();
  CHECK(pthread_key_create(&late, when_it_is_late) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, live_and_die, NULL) == 0);
  pthread_join(thread, NULL);
  CHECK(rounds == 3 && records_taken() == 1);
  for (unsigned i = 0; i < 100; i++) copse_free(kept[i], 100);
  copse_thread_flush();
  struct live live = {0};
  live.slots[copse_class_(40000)] = live.slots[copse_class_(5000)] = 3;
  balance(&live);
}

/* A thread whose first call of all comes from a destructor. */
static void first_call(void *value) {
  void *p = copse_alloc(200);
  CHECK(p);
  copse_free(p, 200);
  (void)value;
}

static void *only_die(void *argument) {
  (void)argument;
  CHECK(pthread_setspecific(late, kept) == 0);
  return NULL;
}

FRESH(first_call_at_the_end) {
  copse_free(copse_alloc(1), 1);
  CHECK(pthread_key_create(&late, first_call) == 0);
  for (unsigned i = 0; i < 20; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, only_die, NULL) == 0);
    pthread_join(thread, NULL);
  }
  /* It may take a record; it must not keep one. */
  CHECK(records_taken() == 1 && records() <= 2);
  copse_thread_flush();
  balance_empty();
}

/* One that only frees, in the last round of destructors, behind which nobody leaves a record: as glibc does behind them. */
static void free_when_it_is_latest(void *value) {
  void **out = value;
  if (++rounds % PTHREAD_DESTRUCTOR_ITERATIONS) {
    CHECK(pthread_setspecific(late, value) == 0);
    return;
  }
  for (unsigned i = 0; i < 8; i++) copse_free(out[i], 300);
}

static void *only_die_with(void *value) {
  CHECK(pthread_setspecific(late, value) == 0);
  return NULL;
}

FRESH(first_frees_when_nobody_leaves_a_record) {
  if (UNDER_TSAN) {
    left_out("ThreadSanitizer has taken leave of the thread by then");
    return;
  }
  void *out[8];
  copse_free(copse_alloc(1), 1);
  CHECK(pthread_key_create(&late, free_when_it_is_latest) == 0);
  for (unsigned i = 0; i < 20; i++) {
    for (unsigned j = 0; j < 8; j++) CHECK((out[j] = copse_alloc(300)));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, only_die_with, out) == 0);
    pthread_join(thread, NULL);
  }
  CHECK(rounds == 20 * PTHREAD_DESTRUCTOR_ITERATIONS && records_taken() == 1 && records() == 1);
  copse_thread_flush();
  balance_empty();
}

FRESH(main_thread_may_end_first) {
  static struct worker w;
  void *p[100];
  allocate_some(p);
  worker_start(&w);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, allocate_some, p) == 0);
  pthread_join(thread, NULL);
  for (unsigned i = 50; i < 100; i++) copse_free(p[i], 100);
  worker_end(&w);
}

/* ---- start ---- */

static u64 refuse_at;

static void start_refused(void) {
  vm_faults_install();
  vm_faults_fail_from(VM_ANY, refuse_at);
  errno = 0;
  void *p = copse_alloc(100);
  if (p) _exit(7); /* so many calls it does not make */
  CHECK(errno == ENOMEM && (!copse_started() || records() == 0 || copse_cache_first()));
  errno = 0;
  CHECK(!copse_alloc_zeroed(50000) && errno == ENOMEM);
  CHECK(!copse_alloc((size_t)5 << 20) && errno == ENOMEM);
  copse_trim();
  copse_checkpoint();
  copse_thread_flush();
  vm_faults_fail_none();
  CHECK((p = copse_alloc(100)) && copse_started());
  copse_free(p, 100);
  void *span = copse_alloc((size_t)5 << 20);
  CHECK(span);
  copse_free(span, (size_t)5 << 20);
  CHECK(records() == 1);
  balance_empty();
  _exit(0);
}

static void start_refused_at_every_call(void **state) {
  (void)state;
  for (refuse_at = 1; refuse_at < 60; refuse_at++) {
    int status = process_status(start_refused);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 7) break;
    if (status) fail_msg("call %llu", (unsigned long long)refuse_at);
  }
  assert_in_range(refuse_at, 4, 59);
}

/* Who sets what can only be set before the first allocation while another thread makes that is too late, or was not. */
static struct worker setter;
static int set_result;
static u32 setting, set_begun;

static void set_arenas(void *argument) {
  (void)argument;
  store_relaxed(&set_begun, 1u);
  set_result = copse_tune_set("arenas", 1);
}

static void set_meanwhile(const struct vm_record *call) {
  if (call->kind != VM_MPROTECT || setting++) return; /* the reservation has been made */
  worker_begin(&setter, set_arenas, NULL);
  while (!load_relaxed(&set_begun)) usleep(1000);
  usleep(50000);
}

FRESH(parameters_set_while_it_starts) {
  u64 arenas;
  worker_start(&setter);
  vm_faults_install();
  vm_faults.hook = set_meanwhile;
  void *p = copse_alloc(100);
  vm_faults.hook = NULL;
  worker_wait(&setter);
  CHECK(p && setting && copse_tune_get("arenas", &arenas) == 0 && (arenas != 1 || copse_regions.arenas == 1));
  CHECK(set_result == EBUSY);
  copse_free(p, 100);
  vm_faults_remove();
  worker_end(&setter);
}

static void start_too(void *argument) {
  void **out = argument;
  CHECK((*out = copse_alloc(64)));
}

FRESH(started_by_many_at_once) {
  static struct worker w[8];
  static void *p[8];
  for (unsigned t = 0; t < 8; t++) worker_start(&w[t]);
  for (unsigned t = 0; t < 8; t++) worker_begin(&w[t], start_too, &p[t]);
  for (unsigned t = 0; t < 8; t++) worker_wait(&w[t]);
  for (unsigned t = 0; t < 8; t++)
    for (unsigned u = 0; u < t; u++) CHECK(p[t] != p[u]);
  CHECK(records() == 8);
  for (unsigned t = 0; t < 8; t++) worker_end(&w[t]);
  for (unsigned t = 0; t < 8; t++) copse_free(p[t], 64);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(taken_left_and_taken_again),
    cmocka_unit_test(detached_records_hold_nothing),
    cmocka_unit_test(counts_tops_spares_and_recyclers),
    cmocka_unit_test(no_memory_for_a_record),
    cmocka_unit_test(many_threads_share_few_records),
    cmocka_unit_test(threads_that_end_leave_their_records),
    cmocka_unit_test(use_after_the_end),
    cmocka_unit_test(first_call_at_the_end),
    cmocka_unit_test(first_frees_when_nobody_leaves_a_record),
    cmocka_unit_test(main_thread_may_end_first),
    cmocka_unit_test(start_refused_at_every_call),
    cmocka_unit_test(parameters_set_while_it_starts),
    cmocka_unit_test(started_by_many_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
