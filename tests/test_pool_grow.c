/* SPDX-License-Identifier: MIT */
/* Growth: steps, ranges that the system refuses, growers that are stopped, metadata that comes late, huge pages, page sizes. */
#include "pool_help.h"

#define MB ((u64)1 << 20)
#define RESERVE ((u64)1 << 37)

static struct pool *watched; /* its lock must be free at every system call; single-threaded tests only */
static u64 locked_calls;

static void watch_lock(const struct vm_record *call) {
  (void)call;
  if (!watched) return;
  if (pthread_mutex_trylock(&watched->lock.mutex) == 0)
    pthread_mutex_unlock(&watched->lock.mutex);
  else
    locked_calls++;
}

static int up(void **state) {
  (void)state;
  core_up(RESERVE);
  vm_faults_install();
  vm_faults.hook = watch_lock;
  watched = NULL;
  locked_calls = 0;
  return 0;
}

static int down(void **state) {
  (void)state;
  vm_faults_remove();
  core_down();
  return (int)locked_calls;
}

static u64 commits(void) { return vm_faults.calls[VM_MPROTECT]; }

/* ---- steps ---- */

static void test_steps_grow_within_bounds(void **state) {
  (void)state;
  struct shadow s;
  shadow_make(&s, class_of_size(128));
  watched = s.pool;
  copse_tunables.growth_min = 32768;
  copse_tunables.growth_max = 1 * MB;
  u64 last = 0, frontier = 0;
  while (s.live * 128 < 20 * MB) {
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    if (s.pool->frontier == frontier) continue;
    u64 step = (s.pool->frontier - frontier) * 128;
    /* In proportion to what there is: a few steps for any size. */
    u64 expected = min_u64(max_u64(frontier * 128 / 4, 32768), 1 * MB);
    assert_int_equal(step, round_up(expected, 64 * 128));
    assert_true(step >= last);
    last = step;
    frontier = s.pool->frontier;
  }
  assert_int_equal(last, 1 * MB);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

static void test_one_call_a_step(void **state) {
  (void)state;
  struct shadow s;
  shadow_make(&s, class_of_size(1024));
  watched = s.pool;
  u64 frontier = 0;
  while (s.pool->frontier < POOL_DENSE * 64 / 2) {
    vm_faults_reset();
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_int_equal(commits(), s.pool->frontier != frontier);
    assert_int_equal(vm_faults.calls[VM_MMAP] + vm_faults.calls[VM_MUNMAP] + vm_faults.calls[VM_MREMAP], 0);
    frontier = s.pool->frontier;
  }
  shadow_free(&s);
}

static void test_least_steps(void **state) {
  (void)state;
  copse_tunables.growth_min = copse_tunables.growth_max = 4096;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct shadow s;
    shadow_make(&s, class);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(shadow_take(&s, 3), POOL_TAKEN);
    assert_true(shadow_whole(&s));
    shadow_free(&s);
  }
}

static void test_fresh_is_zero_to_the_last_byte(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class += 3) {
    struct shadow s;
    shadow_make(&s, class);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(shadow_take(&s, class_size(class) > 65536 ? 3 : 64), POOL_TAKEN);
    for (u64 i = 0; i < s.live; i++) {
      const u64 *word = s.slot[i];
      for (u64 j = 0; j < s.pool->size / 8; j++)
        if (word[j]) fail_msg("class %u", class);
      memset(s.slot[i], 0xFF, s.pool->size);
    }
    shadow_free(&s);
  }
}

/* ---- refused ---- */

static void test_refused_then_less(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct shadow s;
    shadow_make(&s, class);
    watched = s.pool;
    vm_faults_reset();
    vm_faults_fail(VM_MPROTECT, 1); /* the big step; then the least that helps */
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_int_equal(commits(), 2);
    assert_int_equal(s.pool->frontier, s.pool->slotwise ? 1 : 64);
    assert_true(shadow_whole(&s));
    shadow_free(&s);
  }
}

static void test_refused_is_not_for_good(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct shadow s;
    shadow_make(&s, class);
    watched = s.pool;
    for (unsigned before = 0; before < 2; before++) {
      while (before && count_of(s.pool).free) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
      u64 frontier = s.pool->frontier, live = s.live;
      vm_faults_fail_from(VM_MPROTECT, 1);
      for (unsigned i = 0; i < 3; i++) assert_int_equal(shadow_take(&s, 64), POOL_REFUSED);
      /* As if nobody had asked. */
      assert_int_equal(s.pool->frontier, frontier);
      assert_int_equal(s.pool->fails, 0);
      assert_int_equal(s.pool->growing, 0);
      assert_int_equal(s.live, live);
      assert_true(shadow_whole(&s));
      vm_faults_fail_none();
      assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
      assert_true(shadow_whole(&s));
    }
    shadow_free(&s);
  }
}

/* Takes until the next take must grow, and with metadata that is not there yet. */
static void to_the_brink(struct shadow *s, u64 blocks) {
  while (s->live < 64 * blocks) require(shadow_take(s, (unsigned)min_u64(64, 64 * blocks - s->live)) == POOL_TAKEN);
  require(s->pool->frontier == 64 * blocks && count_of(s->pool).free == 0);
}

/* Each call of the step in turn is refused. */
static void refuse_each(struct shadow *s) {
  u64 ready = s->pool->ready, frontier = s->pool->frontier, k = 1;
  watched = s->pool;
  for (;; k++) {
    /* That one and all later ones: metadata and slots, big step and small. */
    vm_faults_reset();
    vm_faults_fail_from(VM_MPROTECT, k);
    enum pool_outcome outcome = shadow_take(s, 64);
    u64 failed = vm_faults.failed;
    vm_faults_fail_none();
    assert_true(shadow_whole(s));
    if (outcome == POOL_TAKEN) {
      assert_int_equal(failed, 0);
      break;
    }
    assert_int_equal(outcome, POOL_REFUSED);
    assert_int_equal(s->pool->ready, ready);
    assert_int_equal(s->pool->frontier, frontier);
  }
  assert_true(k > 3); /* words, changed, slots at least */
  assert_true(s->pool->ready > ready);
  for (unsigned i = 0; i < 10; i++) assert_int_equal(shadow_take(s, 64), POOL_TAKEN);
  u64 random = 8;
  while (s->live) shadow_put(s, 200, &random);
  assert_true(shadow_whole(s));
}

static void test_metadata_refused(void **state) {
  (void)state;
  struct shadow s;
  copse_tunables.growth_max = 64 * 16;
  copse_tunables.growth_min = 4096;
  shadow_make(&s, 0);
  to_the_brink(&s, POOL_DENSE);
  refuse_each(&s);
  shadow_free(&s);
}

static void test_metadata_refused_slotwise(void **state) {
  (void)state;
  struct shadow s;
  copse_tunables.growth_max = copse_tunables.growth_min = 4096;
  shadow_make(&s, class_of_size(4096));
  to_the_brink(&s, POOL_DENSE);
  refuse_each(&s);
  shadow_free(&s);
}

static void test_metadata_refused_at_the_second_tree(void **state) {
  (void)state;
  struct shadow s;
  copse_tunables.growth_max = 4096;
  copse_tunables.growth_min = 4096;
  shadow_make(&s, 0);
  to_the_brink(&s, BIT_TREE_SIZE);
  refuse_each(&s);
  shadow_free(&s);
}

/* Only one call is refused: the least step must then do, with whatever metadata there is. */
static void test_one_call_refused(void **state) {
  (void)state;
  for (u64 k = 1; k <= 4; k++) {
    struct shadow s;
    copse_tunables.growth_max = copse_tunables.growth_min = 4096;
    shadow_make(&s, 0);
    to_the_brink(&s, POOL_DENSE);
    vm_faults_reset();
    vm_faults_fail(VM_MPROTECT, k);
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_true(shadow_whole(&s));
    while (s.live < 128 * POOL_DENSE) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_true(shadow_whole(&s));
    shadow_free(&s);
    core_down();
    core_up(RESERVE);
  }
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

struct job {
  struct pool *pool;
  u64 held, refused;
  void *slot[20000];
};

static void *grow_on(void *argument) {
  struct job *job = argument;
  while (job->held + 64 <= sizeof job->slot / sizeof *job->slot) {
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
  enum { GROWERS = 4 };
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

/* ---- huge pages, and pages of other sizes ---- */

static void test_explicit_huge_pages(void **state) {
  (void)state;
  struct shadow s;
  shadow_make(&s, class_of_size(1024));
  watched = s.pool;
  copse_tunables.huge = 2;
  copse_tunables.growth_min = 1 * MB;
  vm_faults.huge_2m = 3;
  vm_faults.huge_1g = 0;
  while (s.live * 1024 < 40 * MB) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_int_equal(vm_faults.huge_2m, 0);
  assert_int_equal(copse_vm_counters.huge_2m, 6 * MB);
  assert_true(copse_vm_counters.huge_2m_fallbacks > 0);
  assert_true(s.pool->huge.to - s.pool->huge.from >= 6 * MB / 1024);
  for (u64 i = 0; i < s.live; i++) *(u64 *)s.slot[i] = i;
  for (u64 i = 0; i < s.live; i++) assert_int_equal(*(u64 *)s.slot[i], i);
  assert_true(shadow_whole(&s));
  shadow_put_all(&s);
  /* Those are never given back. */
  vm_faults_reset();
  char *from = pool_address(s.pool, s.pool->huge.from), *to = pool_address(s.pool, s.pool->huge.to);
  assert_true(copse_pool_trim(s.pool, 0) > 0);
  assert_true(vm_faults.calls[VM_MADVISE] > 0 && vm_faults.calls[VM_MADVISE] <= VM_LOG);
  for (u64 i = 0; i < vm_faults.calls[VM_MADVISE]; i++) {
    const struct vm_record *r = &vm_faults.log[i];
    assert_true((char *)r->address + r->length <= from || (char *)r->address >= to);
  }
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

/* The rest beside the huge pages is refused: all of the step is, and it works again. */
static void test_refused_beside_huge_pages(void **state) {
  (void)state;
  struct shadow s;
  shadow_make(&s, class_of_size(1024));
  copse_tunables.huge = 2;
  copse_tunables.growth_min = 5 * MB;
  vm_faults.huge_2m = 1;
  vm_faults_fail_from(VM_MPROTECT, 3); /* behind two of metadata */
  assert_int_equal(shadow_take(&s, 64), POOL_REFUSED);
  assert_int_equal(vm_faults.huge_2m, 0);
  assert_true(shadow_whole(&s));
  /* Nor do the huge ones stay, of which nobody would know: the range is as it was, without access. */
  char *huge = (char *)round_up((uptr)s.pool->start, 2 * MB);
  bool undone = false;
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++) {
    const struct vm_record *r = &vm_faults.log[i];
    undone = undone || (r->kind == VM_MMAP && r->address == huge && r->length == 2 * MB && r->protection == 0);
  }
  assert_true(undone);
  vm_faults_fail_none();
  for (unsigned i = 0; i < 200; i++) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  for (u64 i = 0; i < s.live; i++) memset(s.slot[i], 1, 1024);
  assert_true(shadow_whole(&s));
  shadow_put_all(&s);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

static u64 advised(int advice) {
  u64 n = 0;
  for (u64 i = 0; i < min_u64(vm_faults.calls[VM_ANY], VM_LOG); i++)
    n += vm_faults.log[i].kind == VM_MADVISE && vm_faults.log[i].advice == advice;
  return n;
}
enum { ADVISE_HUGE = 14, ADVISE_SMALL = 15 };

static void test_transparent_huge_pages(void **state) {
  (void)state;
  for (unsigned policy = 0; policy <= 2; policy++)
    for (unsigned always = 0; always <= 1; always++) {
      struct shadow s;
      shadow_make(&s, class_of_size(2048));
      copse_tunables.huge = policy;
      copse_vm_facts.huge = 2 * MB;
      copse_vm_facts.huge_always = always;
      vm_faults.huge_1g = vm_faults.huge_2m = 0;
      vm_faults_reset();
      while (s.pool->frontier * 2048 + 2 * MB < HUGE_AFTER) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
      assert_int_equal(advised(ADVISE_HUGE), 0); /* small pools stay on small pages */
      if (always) assert_true(advised(ADVISE_SMALL) > 0);
      vm_faults_reset();
      while (s.live * 2048 < HUGE_AFTER + 24 * MB) assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
      if (policy == 0)
        assert_int_equal(advised(ADVISE_HUGE), 0);
      else
        assert_true(advised(ADVISE_HUGE) > 0 && copse_vm_counters.huge_advised > 0);
      assert_true(shadow_whole(&s));
      shadow_free(&s);
      core_down();
      core_up(RESERVE);
      vm_faults_install();
    }
}

static void test_other_page_sizes(void **state) {
  (void)state;
  for (size_t page = 4096; page <= 65536; page *= 4)
    for (unsigned class = 0; class < CLASSES; class += 2) {
      core_down();
      assert_true(core_up_page(RESERVE, page));
      vm_faults_install();
      struct shadow s;
      u64 random = class + 1;
      shadow_make(&s, class);
      watched = s.pool;
      copse_tunables.growth_min = copse_tunables.growth_max = 4096;
      for (unsigned i = 0; i < 30; i++) {
        vm_faults_fail(VM_MPROTECT, 1 + i % 3);
        u64 live = s.live;
        while (s.live == live) shadow_take(&s, class_size(class) > 65536 ? 2 : 20);
        for (; live < s.live; live++) ((char *)s.slot[live])[s.pool->size - 1] = *(char *)s.slot[live] = 1;
        if (i % 4 == 3) shadow_put(&s, 10, &random);
      }
      for (u64 i = 0; i < vm_faults.calls[VM_ANY] && i < VM_LOG; i++) {
        assert_int_equal((uptr)vm_faults.log[i].address % page, 0);
        assert_int_equal(vm_faults.log[i].length % page, 0);
      }
      assert_true(shadow_whole(&s));
      shadow_free(&s);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_steps_grow_within_bounds, up, down),
    cmocka_unit_test_setup_teardown(test_one_call_a_step, up, down),
    cmocka_unit_test_setup_teardown(test_least_steps, up, down),
    cmocka_unit_test_setup_teardown(test_fresh_is_zero_to_the_last_byte, up, down),
    cmocka_unit_test_setup_teardown(test_refused_then_less, up, down),
    cmocka_unit_test_setup_teardown(test_refused_is_not_for_good, up, down),
    cmocka_unit_test_setup_teardown(test_metadata_refused, up, down),
    cmocka_unit_test_setup_teardown(test_metadata_refused_slotwise, up, down),
    cmocka_unit_test_setup_teardown(test_metadata_refused_at_the_second_tree, up, down),
    cmocka_unit_test_setup_teardown(test_one_call_refused, up, down),
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
    cmocka_unit_test_setup_teardown(test_explicit_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_refused_beside_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_transparent_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_other_page_sizes, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
