/* SPDX-License-Identifier: MIT */
/* Taking from pools and putting back: arithmetic, order, limits, ends, and threads. */
#include "pool_help.h"
#include "check.h"

#define MB ((u64)1 << 20)
#define SMALL_RESERVE (128 * MB) /* regions of 2 MB */
#define RESERVE ((u64)1 << 37)   /* regions of 2 GB */

static int up(void **state) {
  (void)state;
  core_up(RESERVE);
  return 0;
}

static int up_small(void **state) {
  (void)state;
  core_up(SMALL_RESERVE);
  return 0;
}

static int down(void **state) {
  (void)state;
  core_down();
  return 0;
}

/* ---- start ---- */

static void test_arithmetic(void **state) {
  (void)state;
  u64 random = 3;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct pool *p = &copse_pools[class];
    assert_int_equal(p->size, class_size(class));
    assert_int_equal(p->slotwise, p->size >= 4096);
    assert_int_equal(region_of(p->start), class);
    char *end = pool_address(p, p->slots_max);
    assert_true(end <= region_base(class) + region_size());
    /* Not a slot, or a block, more would fit, and end where a page does. */
    assert_int_equal((uptr)end % copse_vm_facts.page, 0);
    assert_true(end + p->size * pool_unit(p) > region_base(class) + region_size());
    for (unsigned i = 0; i < 2000; i++) {
      u64 slot = i < 200 ? i : i < 400 ? p->slots_max - 1 - (i - 200) % p->slots_max : random_below(&random, p->slots_max);
      if (slot >= p->slots_max) continue;
      char *address = pool_address(p, slot);
      assert_true(pool_slot(p, address) == slot);
      assert_int_equal(region_of(address), class);
      assert_int_equal(region_of(address + p->size - 1), class);
      assert_int_equal((uptr)address % class_alignment(class), 0);
    }
  }
}

static void test_start_takes_no_slot(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct pool_count c = count_of(&copse_pools[class]), zero = {0};
    assert_memory_equal(&c, &zero, sizeof c);
    assert_true(copse_pool_valid(&copse_pools[class]));
  }
  assert_int_equal(copse_vm_counters.in_use, 0);
}

static void test_start_refused(void **state) {
  (void)state;
  copse_vm_start();
  copse_tunables.reserve = SMALL_RESERVE;
  vm_faults_install();
  vm_faults_fail(VM_MPROTECT, 1);
  assert_true(copse_region_start());
  assert_false(copse_pools_start());
  core_down();
  /* Address space for everything, whatever the size of the reservation. */
  for (u64 reserve = SMALL_RESERVE; reserve <= (u64)1 << 44; reserve *= 4) {
    if (!core_up_page(reserve, 0)) fail_msg("reserve %llu", (unsigned long long)reserve);
    core_down();
  }
}

/* ---- order ---- */

static void test_fresh_block_at_a_time(void **state) {
  (void)state;
  struct pool *p = &copse_pools[class_of_size(48)];
  for (u64 block = 0; block < 100; block++) {
    void *out[64];
    unsigned taken;
    assert_int_equal(copse_pool_take(p, 64, out, &taken), POOL_TAKEN);
    assert_int_equal(taken, 64);
    for (unsigned i = 0; i < 64; i++) assert_ptr_equal(out[63 - i], pool_address(p, 64 * block + i));
  }
}

/* Past the first 64 blocks, past the first tree: the lowest is found first, wherever it is. */
static void test_three_trees(void **state) {
  (void)state;
  struct pool *p = &copse_pools[0];
  enum { ALL = 3 * BIT_TREE_SIZE * 64 + 6400 };
  void *out[64];
  unsigned taken;
  for (u64 n = 0; n < ALL; n += 64) {
    assert_int_equal(copse_pool_take(p, 64, out, &taken), POOL_TAKEN);
    assert_true(taken == 64 && out[63] == pool_address(p, n));
  }
  assert_true(pool_balanced(p, ALL, 0));
  const u64 picked[] = {3 * BIT_TREE_SIZE * 64 + 77, 5, 64 * POOL_DENSE, 64 * POOL_DENSE - 1, 2 * BIT_TREE_SIZE * 64, BIT_TREE_SIZE * 64 - 1};
  enum { PICKED = sizeof picked / sizeof *picked };
  void *back[PICKED];
  for (unsigned i = 0; i < PICKED; i++) back[i] = pool_address(p, picked[i]);
  copse_pool_put(p, PICKED, back);
  assert_true(pool_balanced(p, ALL - PICKED, 0));
  u64 last = 0;
  for (unsigned i = 0; i < PICKED; i++) {
    assert_int_equal(copse_pool_take(p, 1, out, &taken), POOL_TAKEN);
    assert_true(i == 0 || pool_slot(p, out[0]) > last);
    last = pool_slot(p, out[0]);
  }
  assert_int_equal(last, picked[0]);
  assert_true(pool_balanced(p, ALL, 0));
}

/* ---- one, and zero ---- */

static void test_take_one(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct pool *p = &copse_pools[class];
    void *a, *b;
    bool zero = !p->slotwise;
    assert_int_equal(copse_pool_take_one(p, &a, &zero), POOL_TAKEN);
    assert_int_equal(zero, p->slotwise); /* fresh */
    assert_ptr_equal(a, p->start);
    memset(a, 0xAA, p->size);
    copse_pool_put(p, 1, &a);
    zero = true;
    assert_int_equal(copse_pool_take_one(p, &b, &zero), POOL_TAKEN);
    assert_ptr_equal(a, b);
    assert_false(zero); /* used */
    assert_true(pool_balanced(p, 1, 0));
  }
}

static void test_locked_counts(void **state) {
  (void)state;
  struct pool *p = &copse_pools[3];
  void *out[64];
  unsigned taken;
  copse_pool_take(p, 64, out, &taken);
  assert_int_equal(count_of(p).locked, 1);
  copse_pool_put(p, 64, out);
  assert_int_equal(count_of(p).locked, 2);
  void *many[200];
  for (unsigned i = 0; i < 200; i += 50) copse_pool_take(p, 50, many + i, &taken);
  assert_int_equal(count_of(p).locked, 6);
  copse_pool_put(p, 200, many); /* 120 at a time */
  assert_int_equal(count_of(p).locked, 8);
  copse_pool_put(p, 0, many);
  assert_int_equal(count_of(p).locked, 8);
}

/* ---- the limit ---- */

static void test_limit(void **state) {
  (void)state;
  struct pool *p = &copse_pools[class_of_size(64)]; /* a block is a page */
  struct shadow s;
  u64 random = 5;
  shadow_make(&s, p->class);
  copse_tunables.limit = 10 * 4096;
  while (shadow_take(&s, 64) == POOL_TAKEN) require(s.live < 10000);
  assert_int_equal(s.live, 640);
  assert_int_equal(copse_vm_counters.in_use, 10 * 4096);
  void *out[64];
  unsigned taken = 9;
  /* Refused, and not for good: never mistaken for a full region. */
  for (unsigned i = 0; i < 3; i++) assert_int_equal(copse_pool_take(p, 1, out, &taken), POOL_REFUSED);
  assert_true(shadow_whole(&s));
  /* What is in use may be used again. */
  shadow_put(&s, 30, &random);
  assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_int_equal(s.live, 640);
  /* Less than asked for, where that is what there is. */
  shadow_put(&s, 3, &random);
  copse_tunables.limit = 11 * 4096;
  assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_int_equal(s.live, 637 + 64);
  copse_tunables.limit = 0;
  assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  shadow_put_all(&s);
  assert_true(shadow_whole(&s));
  copse_pool_trim(p, 0);
  assert_int_equal(copse_vm_counters.in_use, 0);
  shadow_free(&s);
}

static void test_limit_slotwise(void **state) {
  (void)state;
  struct shadow s;
  shadow_make(&s, class_of_size(8192));
  copse_tunables.limit = 10 * 8192 + 100;
  assert_int_equal(shadow_take(&s, 7), POOL_TAKEN);
  assert_int_equal(copse_vm_counters.in_use, 7 * 8192);
  /* Three more fit: not because 64 do not is any of them refused. */
  while (shadow_take(&s, 64) == POOL_TAKEN) require(s.live < 100);
  assert_int_equal(s.live, 10);
  assert_int_equal(copse_vm_counters.in_use, 10 * 8192);
  void *p;
  bool zero;
  assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_REFUSED);
  assert_true(shadow_whole(&s));
  copse_tunables.limit = 0;
  assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
  assert_int_equal(copse_vm_counters.in_use, s.live * 8192);
  shadow_put_all(&s);
  copse_pool_trim(s.pool, 0);
  assert_int_equal(copse_vm_counters.in_use, 0);
  assert_true(shadow_whole(&s));
  shadow_free(&s);
}

/* ---- the region's end ---- */

static void test_exhausted(void **state) {
  (void)state;
  u64 random = 6;
  for (unsigned class = 0; class < CLASSES; class++) {
    struct shadow s;
    enum pool_outcome outcome;
    shadow_make(&s, class);
    while ((outcome = shadow_take(&s, 64)) == POOL_TAKEN) require(s.live <= s.pool->slots_max);
    assert_int_equal(outcome, POOL_EXHAUSTED);
    assert_int_equal(s.live, s.pool->slots_max);
    assert_int_equal(shadow_take(&s, 1), POOL_EXHAUSTED);
    void *p;
    bool zero;
    assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_EXHAUSTED);
    assert_true(shadow_whole(&s));
    /* The very last byte is there. */
    ((char *)pool_address(s.pool, s.pool->slots_max))[-1] = 1;
    /* It is allocated from again. */
    shadow_put(&s, 10, &random);
    assert_int_equal(shadow_take(&s, 64), POOL_TAKEN);
    assert_int_equal(s.live, s.pool->slots_max);
    assert_int_equal(shadow_take(&s, 1), POOL_EXHAUSTED);
    shadow_put_all(&s);
    assert_true(shadow_whole(&s));
    /* And all of it can be given back, its access too, though it was full. */
    copse_pool_trim(s.pool, 0);
    assert_int_equal(count_of(s.pool).bare, s.pool->slots_max);
    assert_int_equal(copse_vm_counters.in_use, 0);
    copse_pool_shrink(s.pool);
    assert_int_equal(s.pool->frontier, 0);
    assert_int_equal(copse_vm_counters.committed, 0);
    assert_true(shadow_whole(&s));
    shadow_free(&s);
  }
}

static void test_exhausted_with_larger_pages(void **state) {
  for (size_t page = 16384; page <= 65536; page *= 4) {
    core_down();
    assert_true(core_up_page(SMALL_RESERVE, page));
    test_exhausted(state);
  }
}

/* ---- damage is seen ---- */

static void test_valid_sees_damage(void **state) {
  (void)state;
  struct pool *p = &copse_pools[5];
  void *out[64];
  unsigned taken;
  copse_pool_take(p, 40, out, &taken);
  assert_true(copse_pool_valid(p));
  u64 *word = pool_word(p, 0), right = *word;
  *word = 0; /* full, and stands in a chain */
  assert_false(copse_pool_valid(p));
  *word = ~(u64)0; /* vacant, and stands among the partial */
  assert_false(copse_pool_valid(p));
  *word = right;
  chain_set(pool_young(p), 0); /* in two */
  assert_false(copse_pool_valid(p));
  chain_clear(pool_young(p), 0);
  chain_clear(&p->chains[PARTIAL], 0); /* in none */
  assert_false(copse_pool_valid(p));
  chain_set(&p->chains[PARTIAL], 0);
  p->lost = 64 * pool_blocks(p); /* more than there are */
  assert_false(copse_pool_valid(p));
  p->lost = 0;
  p->chains[BARE].first->root ^= 2;
  assert_false(copse_pool_valid(p));
  p->chains[BARE].first->root ^= 2;
  assert_true(copse_pool_valid(p));

  struct pool *q = &copse_pools[class_of_size(4096)];
  copse_pool_take(q, 4, out, &taken);
  assert_true(copse_pool_valid(q));
  *pool_bare(q, 0) |= 1; /* bare, and not free */
  assert_false(copse_pool_valid(q));
}

#if INSTRUMENTED
static int put_twice(void *argument) {
  void *both[] = {argument, argument};
  struct pool *p = &copse_pools[7];
  copse_pool_put(p, 1, both);
  copse_pool_put(p, 1, both);
  return 0;
}

static int put_twice_at_once(void *argument) {
  void *both[] = {argument, argument};
  copse_pool_put(&copse_pools[7], 2, both);
  return 0;
}

static void test_put_twice(void **state) {
  (void)state;
  char said[400];
  void *out[64];
  unsigned taken;
  copse_pool_take(&copse_pools[7], 2, out, &taken);
  assert_int_equal(in_child_saying(put_twice, out[0], said, sizeof said), -SIGABRT);
  assert_non_null(strstr(said, "broken invariant"));
  assert_int_equal(in_child_saying(put_twice_at_once, out[0], said, sizeof said), -SIGABRT);
}
#endif

/* ---- threads ---- */

enum { THREADS = 4, HELD = 300 };

struct job {
  unsigned class, seed, rounds;
  u64 held;
};

/* Marks what it holds, and finds its marks again: nobody else has it. */
static void *work(void *argument) {
  struct job *job = argument;
  struct pool *p = &copse_pools[job->class];
  void *held[HELD + 64];
  unsigned n = 0;
  u64 random = job->seed;
  for (unsigned round = 0; round < job->rounds; round++) {
    if (n < HELD && random_below(&random, 2)) {
      unsigned taken;
      require(copse_pool_take(p, 1 + (unsigned)random_below(&random, 64), held + n, &taken) == POOL_TAKEN);
      for (unsigned i = 0; i < taken; i++) *(u64 *)held[n + i] = job->seed + (uptr)held[n + i];
      n += taken;
    } else if (n) {
      unsigned some = 1 + (unsigned)random_below(&random, n);
      for (unsigned i = n - some; i < n; i++) require(*(u64 *)held[i] == job->seed + (uptr)held[i]);
      n -= some;
      copse_pool_put(p, some, held + n);
    }
    if (job->seed == 1 && round % 32 == 0) copse_pool_trim(p, random_below(&random, 2));
    if (job->seed == 2 && round % 64 == 0) require(copse_pool_valid(p));
  }
  job->held = n;
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  static const unsigned sizes[] = {16, 48, 256, 1792, 4096, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    pthread_t thread[THREADS];
    struct job job[THREADS];
    unsigned class = class_of_size(sizes[i]);
    u64 live = 0;
    for (unsigned t = 0; t < THREADS; t++) {
      job[t] = (struct job){class, t + 1, UNDER_SANITIZER ? 500 : 2000, 0};
      assert_int_equal(pthread_create(&thread[t], NULL, work, &job[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) {
      pthread_join(thread[t], NULL);
      live += job[t].held;
    }
    assert_true(pool_balanced(&copse_pools[class], live, 0));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_arithmetic, up, down),
    cmocka_unit_test_setup_teardown(test_start_takes_no_slot, up, down),
    cmocka_unit_test_teardown(test_start_refused, down),
    cmocka_unit_test_setup_teardown(test_fresh_block_at_a_time, up, down),
    cmocka_unit_test_setup_teardown(test_three_trees, up, down),
    cmocka_unit_test_setup_teardown(test_take_one, up, down),
    cmocka_unit_test_setup_teardown(test_locked_counts, up, down),
    cmocka_unit_test_setup_teardown(test_limit, up, down),
    cmocka_unit_test_setup_teardown(test_limit_slotwise, up, down),
    cmocka_unit_test_setup_teardown(test_exhausted, up_small, down),
    cmocka_unit_test_setup_teardown(test_exhausted_with_larger_pages, up_small, down),
    cmocka_unit_test_setup_teardown(test_valid_sees_damage, up, down),
#if INSTRUMENTED
    cmocka_unit_test_setup_teardown(test_put_twice, up, down),
#endif
    cmocka_unit_test_setup_teardown(test_threads, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
