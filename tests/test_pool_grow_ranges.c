/* SPDX-License-Identifier: MIT */
/* Ranges that growers have claimed: published in any order, given up, tried again; and growers that are stopped. */
#include "pool_help.h"
#include "process.h"

#define MB ((u64)1 << 20)
#define RESERVE ((u64)1 << 37)

static int up(void **state) {
  (void)state;
  core_up(RESERVE);
  vm_faults_install();
  return 0;
}

static int down(void **state) {
  (void)state;
  vm_faults_remove();
  core_down();
  return 0;
}

/* ---- ranges, claimed and given up by hand ---- */

static struct growth claim(struct pool *p, u64 need, bool small) {
  struct growth g;
  copse_lock_acquire(&p->lock);
  assert_true(copse_pool_claim_locked(p, need, small, &g));
  copse_lock_release(&p->lock);
  return g;
}

static void publish(struct pool *p, struct growth *g) {
  u64 huge;
  assert_true(copse_pool_commit(p, g, &huge));
  copse_lock_acquire(&p->lock);
  copse_pool_publish_locked(p, g, huge);
  copse_lock_release(&p->lock);
}

static void roll_back(struct pool *p, struct growth *g) {
  copse_lock_acquire(&p->lock);
  copse_pool_rollback_locked(p, g);
  copse_lock_release(&p->lock);
}

static bool balanced(struct pool *p) { return pool_balanced(p, 0, 0); }

static void test_big_and_small_claims(void **state) {
  (void)state;
  struct pool *p = &copse_pools[class_of_size(64)];
  struct growth first = claim(p, 64, false), second = claim(p, 64, false), third = claim(p, 1, false);
  assert_true(first.big && !second.big && !third.big);
  assert_int_equal(first.range.to - first.range.from, 65536 / 64);
  assert_int_equal(second.range.from, first.range.to);
  assert_int_equal(second.range.to - second.range.from, 64);
  assert_int_equal(third.range.from, second.range.to);
  assert_int_equal(third.range.to - third.range.from, 64);
  assert_int_equal(count_of(p).uncommitted, 65536 / 64 + 128);
  assert_true(balanced(p));
  /* In any order. */
  publish(p, &third);
  assert_true(balanced(p) && count_of(p).free == 64);
  publish(p, &first);
  assert_true(balanced(p));
  struct growth next = claim(p, 64, false);
  assert_true(next.big);
  publish(p, &second);
  roll_back(p, &next);
  assert_int_equal(count_of(p).uncommitted, 0);
  assert_true(balanced(p));
  struct growth small = claim(p, 1, true);
  assert_true(!small.big && small.range.to - small.range.from == 64);
  roll_back(p, &small);
  assert_true(balanced(p));
}

static void test_last_range_rolls_back(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 4096, 7168};
  for (unsigned i = 0; i < 3; i++) {
    struct pool *p = &copse_pools[class_of_size(sizes[i])];
    struct growth a = claim(p, 5, true), b = claim(p, 70, true), c = claim(p, 3, true);
    roll_back(p, &c);
    assert_int_equal(p->frontier, c.range.from);
    roll_back(p, &b);
    assert_int_equal(p->frontier, b.range.from);
    assert_int_equal(p->fails, 0);
    publish(p, &a);
    assert_true(balanced(p));
    assert_int_equal(count_of(p).free, a.range.to - a.range.from);
  }
}

static void test_middle_range_is_tried_first(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 4096, 7168};
  for (unsigned i = 0; i < 3; i++) {
    struct pool *p = &copse_pools[class_of_size(sizes[i])];
    struct growth a = claim(p, 5, true), b = claim(p, 200, true), c = claim(p, 3, true);
    publish(p, &c);
    roll_back(p, &b);
    assert_int_equal(p->frontier, c.range.to);
    assert_int_equal(p->fails, 1);
    assert_true(balanced(p));
    /* A small claim takes a part of it, and the rest stays. */
    struct growth part = claim(p, 1, true);
    assert_int_equal(part.range.from, b.range.from);
    assert_true(part.range.to - part.range.from <= 64 && !part.big);
    assert_int_equal(p->fails, 1);
    struct growth rest = claim(p, 1, false);
    assert_int_equal(rest.range.from, part.range.to);
    assert_int_equal(rest.range.to, b.range.to);
    assert_int_equal(p->fails, 0);
    publish(p, &rest);
    publish(p, &part);
    publish(p, &a);
    assert_int_equal(count_of(p).uncommitted, (64 - p->frontier % 64) % 64);
    assert_true(balanced(p));
  }
}

static void test_middle_ranges_fall_with_the_last(void **state) {
  (void)state;
  struct pool *p = &copse_pools[class_of_size(64)];
  struct growth g[5];
  for (unsigned i = 0; i < 5; i++) g[i] = claim(p, 64, true);
  publish(p, &g[0]);
  roll_back(p, &g[2]);
  roll_back(p, &g[1]);
  roll_back(p, &g[3]);
  assert_int_equal(p->fails, 3);
  assert_true(balanced(p));
  roll_back(p, &g[4]); /* and now all of them are the end */
  assert_int_equal(p->frontier, 64);
  assert_int_equal(p->fails, 0);
  assert_int_equal(count_of(p).uncommitted, 0);
  assert_true(balanced(p));
}

static void test_list_of_failed_ranges_is_bounded(void **state) {
  (void)state;
  struct pool *p = &copse_pools[class_of_size(64)];
  enum { ALL = POOL_FAILED + 6 };
  struct growth g[ALL], last;
  for (unsigned i = 0; i < ALL; i++) g[i] = claim(p, 64, true);
  last = claim(p, 64, true);
  publish(p, &last);
  for (unsigned i = 0; i < ALL; i++) {
    roll_back(p, &g[i]);
    assert_true(balanced(p));
  }
  assert_int_equal(p->fails, POOL_FAILED);
  /* What did not fit in the list is address space that is gone, and counted. */
  assert_int_equal(count_of(p).uncommitted, 64 * ALL);
  struct shadow s;
  shadow_make(&s, p->class);
  for (unsigned i = 0; i < POOL_FAILED + 1; i++) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_int_equal(p->fails, 0);
  assert_int_equal(p->frontier, last.range.to);
  assert_int_equal(count_of(p).uncommitted, 64 * (ALL - POOL_FAILED));
  assert_true(shadow_whole(&s));
  for (unsigned i = 0; i < 100; i++) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

static void test_claim_at_the_regions_end(void **state) {
  (void)state;
  core_down();
  core_up(128 * MB);
  struct pool *p = &copse_pools[class_of_size(114688)];
  struct growth whole = claim(p, p->slots_max - 1, true), rest = claim(p, 64, false), none;
  assert_int_equal(rest.range.to - rest.range.from, 1);
  copse_lock_acquire(&p->lock);
  assert_false(copse_pool_claim_locked(p, 1, true, &none));
  copse_lock_release(&p->lock);
  roll_back(p, &whole);
  /* The region is full, and yet something can be had: what was refused before. */
  struct growth again = claim(p, 1, false);
  assert_int_equal(again.range.from, 0);
  publish(p, &again);
  publish(p, &rest);
  assert_int_equal(count_of(p).free, p->slots_max);
  assert_true(balanced(p));
}

/* ---- growers that are stopped ---- */

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  unsigned waiting, open; /* tickets: how many stand still, how many may go */
  bool on;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, false};
static __thread bool stops_here;

static void stop_in_commit(const struct vm_record *call) {
  if (!stops_here || call->kind != VM_MPROTECT) return;
  pthread_mutex_lock(&gate.mutex);
  gate.waiting++;
  pthread_cond_broadcast(&gate.changed);
  while (!gate.open) pthread_cond_wait(&gate.changed, &gate.mutex);
  pthread_mutex_unlock(&gate.mutex);
}

static bool refuse_stopped(const struct vm_record *call) { return stops_here && call->kind == VM_MPROTECT; }

static void gate_wait(unsigned n) {
  pthread_mutex_lock(&gate.mutex);
  while (gate.waiting < n) pthread_cond_wait(&gate.changed, &gate.mutex);
  pthread_mutex_unlock(&gate.mutex);
}

static void gate_open(void) {
  pthread_mutex_lock(&gate.mutex);
  gate.open = 1;
  pthread_cond_broadcast(&gate.changed);
  pthread_mutex_unlock(&gate.mutex);
}

struct stopped {
  struct pool *pool;
  enum pool_outcome outcome;
  unsigned taken;
  void *out[64];
};

static void *take_and_stop(void *argument) {
  struct stopped *s = argument;
  stops_here = true;
  s->outcome = copse_pool_take(s->pool, 64, s->out, &s->taken);
  if (s->outcome != POOL_TAKEN) s->taken = 0;
  return NULL;
}

static void with_stopped_growers(unsigned class, unsigned growers, bool refused) {
  pthread_t thread[20];
  struct stopped stopped[20];
  struct shadow s;
  shadow_make(&s, class);
  gate.waiting = gate.open = 0;
  vm_faults.hook = stop_in_commit;
  vm_faults.refuse = refused ? refuse_stopped : NULL;
  for (unsigned i = 0; i < growers; i++) {
    stopped[i] = (struct stopped){.pool = s.pool};
    assert_int_equal(pthread_create(&thread[i], NULL, take_and_stop, &stopped[i]), 0);
    gate_wait(i + 1); /* so that their ranges are in this order */
  }
  struct pool_count c = count_of(s.pool);
  assert_int_equal(c.free, 0);
  u64 behind = s.pool->frontier;
  /* The others go on, behind what is held up. */
  for (unsigned i = 0; i < 20; i++) {
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_true(shadow_whole(&s));
  }
  for (u64 i = 0; i < s.live; i++) assert_true(pool_slot(s.pool, s.slot[i]) >= behind);
  assert_true(count_of(s.pool).uncommitted >= c.uncommitted - 63);
  gate_open();
  for (unsigned i = 0; i < growers; i++) pthread_join(thread[i], NULL);
  for (unsigned i = 0; i < growers; i++) {
    assert_int_equal(stopped[i].outcome, refused ? POOL_REFUSED : POOL_TAKEN);
    for (unsigned j = 0; j < stopped[i].taken; j++) shadow_add(&s, stopped[i].out[j]);
  }
  assert_int_equal(s.pool->growing, 0);
  assert_true(shadow_whole(&s));
  /* All of it can be had by and by. */
  u64 frontier = s.pool->frontier;
  vm_faults.refuse = NULL;
  for (unsigned i = 0; i < 4000 && s.pool->frontier == frontier; i++) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_true(s.pool->frontier > frontier);
  assert_true(shadow_whole(&s));
  u64 given_up = count_of(s.pool).uncommitted;
  if (growers <= POOL_FAILED) assert_true(given_up < 64);
  shadow_put_all(&s);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

static void test_stopped_growers(void **state) {
  (void)state;
  with_stopped_growers(class_of_size(16), 1, false);
  with_stopped_growers(class_of_size(640), 3, false);
  with_stopped_growers(class_of_size(4096), 3, false);
  with_stopped_growers(class_of_size(7168), 2, false);
}

static void test_stopped_growers_that_are_refused(void **state) {
  (void)state;
  with_stopped_growers(class_of_size(16), 1, true);
  with_stopped_growers(class_of_size(640), 3, true);
  with_stopped_growers(class_of_size(4096), 3, true);
  with_stopped_growers(class_of_size(512), POOL_FAILED + 3, true); /* more than the list holds */
}

/* Metadata that one grower is still to commit: another brings its own, and the pool knows which blocks it may look at. */
static void test_stopped_in_metadata(void **state) {
  (void)state;
  pthread_t thread;
  struct shadow s;
  copse_tunables.growth_max = copse_tunables.growth_min = 4096;
  shadow_make(&s, 0);
  to_the_brink(&s, POOL_DENSE);
  struct stopped stopped = {.pool = s.pool};
  gate.waiting = gate.open = 0;
  vm_faults.hook = stop_in_commit;
  assert_int_equal(pthread_create(&thread, NULL, take_and_stop, &stopped), 0);
  gate_wait(1);
  assert_int_equal(s.pool->ready, POOL_DENSE);
  assert_true(pool_blocks(s.pool) > POOL_DENSE);
  assert_true(shadow_whole(&s));
  copse_pool_trim(s.pool, 0); /* looks at what is known, and no further */
  assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_true(s.pool->ready > POOL_DENSE);
  assert_true(shadow_whole(&s));
  gate_open();
  pthread_join(thread, NULL);
  assert_int_equal(stopped.outcome, POOL_TAKEN);
  for (unsigned j = 0; j < stopped.taken; j++) shadow_add(&s, stopped.out[j]);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

/* ---- many growers, and a system that refuses one call in three ---- */

static bool refuse_some(const struct vm_record *call) {
  static u64 calls;
  return call->kind == VM_MPROTECT && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 3 == 0;
}

enum { GROWERS = 4, GROWN = 20000 };

struct job {
  struct pool *pool;
  u64 most, held, refused;
  void *slot[GROWN];
};

static void *grow_on(void *argument) {
  struct job *job = argument;
  while (job->held + 64 <= job->most) {
    unsigned taken;
    enum pool_outcome outcome = copse_pool_take(job->pool, 64, job->slot + job->held, &taken);
    require(outcome != POOL_EXHAUSTED);
    if (outcome == POOL_REFUSED) {
      job->refused++;
      continue;
    }
    for (unsigned i = 0; i < taken; i++) *(u64 *)job->slot[job->held + i] = (uptr)job;
    job->held += taken;
  }
  for (u64 i = 0; i < job->held; i++) require(*(u64 *)job->slot[i] == (uptr)job);
  return NULL;
}

static void test_many_growers(void **state) {
  (void)state;
  static struct job job[GROWERS];
  const unsigned sizes[] = {16, 448, 4096};
  copse_tunables.growth_min = copse_tunables.growth_max = 16384;
  vm_faults.hook = NULL;
  vm_faults.refuse = refuse_some;
  for (unsigned i = 0; i < 3; i++) {
    struct pool *p = &copse_pools[class_of_size(sizes[i])];
    pthread_t thread[GROWERS];
    u64 live = 0;
    for (unsigned t = 0; t < GROWERS; t++) {
      job[t].pool = p;
      /* Half of them is enough where little was reserved. */
      job[t].most = min_u64(GROWN, p->slots_max / 2 / GROWERS);
      job[t].held = job[t].refused = 0;
      assert_int_equal(pthread_create(&thread[t], NULL, grow_on, &job[t]), 0);
    }
    for (unsigned t = 0; t < GROWERS; t++) {
      pthread_join(thread[t], NULL);
      live += job[t].held;
    }
    assert_int_equal(p->growing, 0);
    assert_true(pool_balanced(p, live, 0));
    for (unsigned t = 0; t < GROWERS; t++) copse_pool_put(p, (unsigned)job[t].held, job[t].slot);
    assert_true(pool_balanced(p, 0, 0));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_big_and_small_claims, up, down),
    cmocka_unit_test_setup_teardown(test_last_range_rolls_back, up, down),
    cmocka_unit_test_setup_teardown(test_middle_range_is_tried_first, up, down),
    cmocka_unit_test_setup_teardown(test_middle_ranges_fall_with_the_last, up, down),
    cmocka_unit_test_setup_teardown(test_list_of_failed_ranges_is_bounded, up, down),
    cmocka_unit_test_setup_teardown(test_claim_at_the_regions_end, up, down),
    cmocka_unit_test_setup_teardown(test_stopped_growers, up, down),
    cmocka_unit_test_setup_teardown(test_stopped_growers_that_are_refused, up, down),
    cmocka_unit_test_setup_teardown(test_stopped_in_metadata, up, down),
    cmocka_unit_test_setup_teardown(test_many_growers, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
