/* SPDX-License-Identifier: MIT */
/* Giving a pool's pages back where the system refuses, while others allocate and free, and in any order. */
#define RESERVE ((u64)1 << 32) /* test_growing_while_since_is_made_accessible takes 34 MB of a class */
#include "pool_trim_help.h"
#include <sched.h>

/* ---- refused ---- */

static void test_refused(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 64, 1024, 2048, 4096, 7168, 1048576};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    u64 n = max_u64(2 * 64, 1 + 300000 / s.pool->size);
    if (sizes[i] > 65536) n = 6;
    take_until(n);
    for (u64 j = 0; j < s.live; j++) *(u64 *)s.slot[j] = (uptr)s.slot[j];
    u64 in_use = copse_vm_counters.in_use;
    put_range(1, n);
    vm_faults_fail_from(VM_MADVISE, 1);
    struct pool_count before = count_of(s.pool);
    for (unsigned t = 0; t < 3; t++) {
      assert_int_equal(trim(0), 0);
      struct pool_count c = count_of(s.pool);
      assert_true(c.free == before.free && c.bare == before.bare);
      assert_int_equal(copse_vm_counters.in_use, in_use);
    }
    /* What has not gone is not taken for zero. */
    if (s.pool->slotwise) {
      void *p;
      bool zero;
      assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
      assert_false(zero);
      assert_int_equal(*(u64 *)p, (uptr)p);
      copse_pool_put(s.pool, 1, &p);
    }
    /* And it is not given up for ever. */
    vm_faults_fail_none();
    assert_true(trim(0) > 0);
    assert_int_equal(*(u64 *)s.slot[0], (uptr)s.slot[0]);
    end();
  }
}

/* The same for runs of a block in use: that nothing was freed there since is no reason not to ask again. */
static void test_refused_runs(void **state) {
  (void)state;
  begin(class_of_size(1024));
  take_until(128);
  put_range(1, 30);
  put_range(64, 90);
  vm_faults_fail_from(VM_MADVISE, 1);
  for (unsigned t = 0; t < 3; t++) assert_int_equal(trim(0), 0);
  vm_faults_fail_none();
  assert_int_equal(trim(0), (24 + 24) * 1024);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* One run of many is refused: that one stays, the others go. */
static void test_one_refused(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 4096};
  for (unsigned i = 0; i < 2; i++)
    for (unsigned k = 1; k <= 3; k++) {
      begin(class_of_size(sizes[i]));
      u64 unit = s.pool->slotwise ? 1 : 64;
      take_until(64 * 10);
      for (unsigned j = 1; j < 6; j += 2) put_range(j * unit, (j + 1) * unit);
      vm_faults_fail(VM_MADVISE, k);
      /* Asking again for locked memory is a second call, which is not refused here. */
      u64 bytes = trim(0);
      vm_faults_fail_none();
      bytes += trim(0);
      assert_int_equal(bytes, 3 * 4096);
      end();
    }
}

/* ---- meanwhile ---- */

static u64 taken_meanwhile;

/* Another thread, as it were: between detaching and returning it takes all it can get without growing. */
static void take_meanwhile(void) {
  if (taken_meanwhile >= 3 * 64) return;
  require(s.pool->detached > 0);
  struct pool_count c = count_of(s.pool);
  require(c.detached > 0 && shadow_whole(&s));
  /* Nothing that is detached comes out: the shadow knows the rest, and `watch` looks at every call. */
  taken_meanwhile += 64;
  require(shadow_take(&s, 64) == POOL_TAKEN);
  require(shadow_whole(&s));
}

static void test_allocating_meanwhile(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 320, 1024, 4096, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    take_until(64 * 20);
    for (unsigned j = 1; j < 20; j += 2) put_range(64 * j, 64 * (j + 1));
    put_range(64 * 4 + 5, 64 * 4 + 40);
    u64 frontier = s.pool->frontier;
    taken_meanwhile = 0;
    meanwhile = take_meanwhile;
    assert_true(trim(0) > 0);
    meanwhile = NULL;
    assert_true(taken_meanwhile > 0 && s.pool->frontier >= frontier);
    /* All that was detached is there again. */
    struct pool_count c = count_of(s.pool);
    take_until(s.live + c.free);
    assert_int_equal(count_of(s.pool).free, 0);
    end();
  }
}

/* Blocks that came after a trim with a cooldown looked how many there are: what it notes of blocks ends before them. */
enum { SINCE_STEP = 16384 };
static void grow_in_since(const struct vm_record *call) {
  if (call->kind != VM_MPROTECT || call->address != &s.pool->since[SINCE_STEP]) return;
  vm_faults.hook = watch;
  take_until(64 * (2 * SINCE_STEP + 20));
  put_range(64 * (2 * SINCE_STEP + 8), 64 * (2 * SINCE_STEP + 16));
}

static void test_growing_while_since_is_made_accessible(void **state) {
  (void)state;
  begin(class_of_size(16));
  take_until(64 * 100);
  trim(1);
  assert_int_equal(s.pool->since_ready, SINCE_STEP);
  take_until(64 * (SINCE_STEP + 20));
  vm_faults.hook = grow_in_since;
  trim(1);
  assert_ptr_equal(vm_faults.hook, watch);
  assert_int_equal(s.pool->since_ready, 2 * SINCE_STEP);
  /* The next one gets there. */
  trim(1);
  assert_int_equal(s.pool->since_ready, 3 * SINCE_STEP);
  assert_true(trim(1) > 0);
  end();
}

/* All that there is detached, and the system or the limit at its end: a step of the least size, or a refusal; no loss. */
static void refuse_meanwhile(void) {
  if (taken_meanwhile++) return;
  void *out[64];
  unsigned taken;
  copse_tunables.limit = copse_vm_counters.in_use;
  require(copse_pool_take(s.pool, 64, out, &taken) == POOL_REFUSED);
  copse_tunables.limit = 0;
  require(shadow_take(&s, 1) == POOL_TAKEN);
}

static void test_refused_meanwhile(void **state) {
  (void)state;
  begin(class_of_size(1024));
  take_until(64 * 4);
  put_range(0, 64 * 4);
  taken_meanwhile = 0;
  meanwhile = refuse_meanwhile;
  assert_true(trim(0) > 0);
  assert_int_equal(s.live, 1);
  end();
}

/* Frees arrive in blocks of which a part is detached. */
static void put_meanwhile(void) {
  static u64 random = 99;
  if (!s.live || taken_meanwhile++ > 50) return;
  shadow_put(&s, 3, &random);
  require(shadow_whole(&s));
}

static void test_freeing_meanwhile(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 256, 1024, 4096, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    u64 random = i + 1;
    begin(class_of_size(sizes[i]));
    take_until(64 * 20);
    for (unsigned j = 1; j < 20; j += 3) put_range(64 * j, 64 * j + 40);
    for (unsigned round = 0; round < 20; round++) {
      taken_meanwhile = 0;
      meanwhile = put_meanwhile;
      trim(0);
      meanwhile = NULL;
      shadow_put(&s, 20, &random);
    }
    shadow_put_all(&s);
    trim(0);
    end();
  }
}

/* ---- anything, in any order ---- */

/* Each live slot is filled with a byte of its own; what is said to be zero is. */
static unsigned char mark(const void *p) { return (unsigned char)(1 + (uptr)p / 16 % 255); }

static bool filled(const unsigned char *p, u64 size, unsigned char with) {
  return p[0] == with && memcmp(p, p + 1, size - 1) == 0;
}

/*
 * While a trim has some blocks of a huge page, a slot of another one on it comes free; then that huge page is touched, and so all of it
 * may be in memory: what the trim gave back goes again with the last that is freed there.
 */
static u64 huge_first; /* slot */
static void put_beside_meanwhile(void) {
  meanwhile = NULL;
  put_range(huge_first + 64, huge_first + 65);
}

static void test_freeing_on_the_same_huge_page_meanwhile(void **state) {
  (void)state;
  const unsigned sizes[] = {1024, 4096};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    copse_tunables.huge = 1;
    copse_vm_facts.huge = 2 * MB;
    u64 size = sizes[i], all = 16 * MB / size, bytes = 64 * size;
    take_until(all);
    assert_true(s.pool->advised);
    /* The blocks that lie wholly on one. */
    u64 huge = round_up((uptr)s.pool->start + 4 * MB, 2 * MB) - (uptr)s.pool->start, block = (huge + bytes - 1) / bytes;
    u64 last = ((huge + 2 * MB) / bytes) * 64;
    huge_first = 64 * block;
    put_range(huge_first, last);
    trim(0);
    take_until(all); /* the same again, and nobody touches it yet */
    put_range(huge_first + 128, last);
    if (!s.pool->slotwise) put_range(huge_first + 65, huge_first + 128);
    meanwhile = put_beside_meanwhile;
    assert_true(trim(0) >= (last - huge_first - 128) * size && !meanwhile);
    /* The first touch of all of it. */
    *(char *)pool_address(s.pool, huge_first) = 1;
    put_range(huge_first, huge_first + 128);
    assert_int_equal(trim(0), (last - huge_first) * size);
    assert_int_equal(trim_calls(0), 0);
    end();
  }
}

static void at_random(unsigned class, size_t page, unsigned rounds) {
  begin_page(class, page);
  u64 random = class * 1000 + page, most = min_u64(64 * 30, max_u64(20, 2 * MB / s.pool->size));
  copse_tunables.growth_min = 4096;
  for (unsigned round = 0; round < rounds; round++) {
    u64 what = random_below(&random, 100);
    if (what < 30 && s.live < most) {
      u64 live = s.live;
      assert_int_equal(shadow_take(&s, 1 + (unsigned)random_below(&random, 64)), POOL_TAKEN);
      for (; live < s.live; live++) memset(s.slot[live], mark(s.slot[live]), s.pool->size);
    } else if (what < 50 && s.live < most) {
      void *p;
      bool zero;
      assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
      if (zero && !filled(p, s.pool->size, 0)) fail_msg("class %u, page %zu: said to be zero", class, page);
      memset(p, mark(p), s.pool->size);
      shadow_add(&s, p);
    } else if (what < 90) {
      if (random_below(&random, 4) == 0 && s.live) {
        u64 from = pool_slot(s.pool, s.slot[random_below(&random, s.live)]);
        put_range(from, from + 1 + random_below(&random, 200));
      } else {
        shadow_put(&s, 1 + (unsigned)random_below(&random, 50), &random);
      }
    } else {
      if (random_below(&random, 5) == 0) vm_faults_fail(VM_MADVISE, 1 + random_below(&random, 3));
      trim(random_below(&random, 3));
      vm_faults_fail_none();
    }
    if (round % 32 == 0)
      for (u64 i = 0; i < s.live; i++)
        if (!filled(s.slot[i], s.pool->size, mark(s.slot[i]))) fail_msg("class %u, page %zu: contents lost", class, page);
  }
  for (u64 i = 0; i < s.live; i++) assert_true(filled(s.slot[i], s.pool->size, mark(s.slot[i])));
  shadow_put_all(&s);
  end();
}

static void test_at_random(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 48, 112, 256, 640, 1792, 4096, 7168, 16384, 81920, 1048576};
  for (size_t page = 4096; page <= 65536; page *= 4)
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
      at_random(class_of_size(sizes[i]), page, UNDER_SANITIZER ? 50 : 400);
}

/* ---- bounds ---- */

static void test_many_blocks_go_in_batches(void **state) {
  (void)state;
  begin(class_of_size(16));
  u64 all = 64 * 20000; /* more than a tree */
  take_until(all);
  for (u64 i = 0; i < s.live; i++) *(char *)s.slot[i] = 1;
  void **back = s.slot;
  for (u64 i = 0; i < s.live; i += 60000) copse_pool_put(s.pool, (unsigned)min_u64(60000, s.live - i), back + i);
  s.live = 0;
  memset(s.is_live, 0, s.known);
  u64 bytes = trim(0);
  assert_true(bytes + 4096 >= all * 16);
  /* A lock hold looks at so many blocks, and so the others may allocate in between. */
  assert_true(most_detached <= (TRIM_BLOCKS + 64) * 64);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* A lock hold detaches 2 MB, or blocks up to where one ends on a page; of slots of a page and more never more, but at least one. */
static void test_batches_are_bounded_in_bytes(void **state) {
  (void)state;
  const unsigned sizes[] = {80, 640, 1024, 4096, 7168, 16384, 81920, 131072, 655360, 1048576};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    u64 size = s.pool->size, blocks = 1;
    while (blocks * 64 * size % 4096) blocks++;
    take_until(3 * blocks * 64 + 8 * MB / size);
    shadow_put_all(&s);
    assert_true(trim(0) > 8 * MB);
    assert_true(most_detached > 0);
    if (s.pool->slotwise) assert_true(most_detached * size <= 2 * MB);
    else assert_true(most_detached * size < 2 * MB + blocks * 64 * size);
    assert_int_equal(trim_calls(0), 0);
    end();
  }
}

struct job {
  struct pool *pool;
  u64 seed, held;
  u32 *stop;
};

/* What both mutators have done: on a busy machine they may not have had a turn when the trims have had all of theirs. */
static u64 mutations;

static void *trimmer(void *argument) {
  u64 bytes = 0;
  const unsigned rounds = UNDER_SANITIZER ? 200 : 1000;
  for (unsigned i = 0; i < rounds || (!bytes && load_relaxed(&mutations) < 1000000); i++) {
    bytes += copse_pool_trim(argument, i % 3);
    if (!bytes) sched_yield();
  }
  return (void *)bytes;
}

static void *mutator(void *argument) {
  struct job *job = argument;
  void *held[640];
  u64 random = job->seed;
  while (!__atomic_load_n(job->stop, __ATOMIC_RELAXED)) {
    unsigned taken;
    if (job->held < 576 && random_below(&random, 2)) {
      require(copse_pool_take(job->pool, 1 + (unsigned)random_below(&random, 64), held + job->held, &taken) == POOL_TAKEN);
      for (unsigned i = 0; i < taken; i++) memset(held[job->held + i], (int)job->seed, job->pool->size);
      job->held += taken;
    } else if (job->held) {
      u64 some = 1 + random_below(&random, job->held);
      for (u64 i = job->held - some; i < job->held; i++) require(filled(held[i], job->pool->size, (unsigned char)job->seed));
      job->held -= some;
      copse_pool_put(job->pool, (unsigned)some, held + job->held);
    }
    add_relaxed(&mutations, (u64)1);
  }
  return NULL;
}

/* Two trims at once, two threads that allocate and free: nobody's contents are thrown away. */
static void test_trims_against_threads(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 512, 4096};
  core_up(RESERVE);
  for (unsigned i = 0; i < 3; i++) {
    struct pool *p = &copse_pools[class_of_size(sizes[i])];
    pthread_t trims[2], threads[2];
    u32 stop = 0;
    struct job job[2];
    store_relaxed(&mutations, (u64)0);
    for (unsigned t = 0; t < 2; t++) {
      job[t] = (struct job){p, t + 1, 0, &stop};
      assert_int_equal(pthread_create(&threads[t], NULL, mutator, &job[t]), 0);
      assert_int_equal(pthread_create(&trims[t], NULL, trimmer, p), 0);
    }
    u64 bytes = 0;
    for (unsigned t = 0; t < 2; t++) {
      void *given;
      pthread_join(trims[t], &given);
      bytes += (u64)given;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (unsigned t = 0; t < 2; t++) pthread_join(threads[t], NULL);
    assert_true(bytes > 0);
    assert_int_equal(p->detached, 0);
    assert_true(pool_balanced(p, job[0].held + job[1].held, 0));
  }
  core_down();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_refused, clean_up),
    cmocka_unit_test_teardown(test_refused_runs, clean_up),
    cmocka_unit_test_teardown(test_one_refused, clean_up),
    cmocka_unit_test_teardown(test_allocating_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_refused_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_growing_while_since_is_made_accessible, clean_up),
    cmocka_unit_test_teardown(test_freeing_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_freeing_on_the_same_huge_page_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_at_random, clean_up),
    cmocka_unit_test_teardown(test_many_blocks_go_in_batches, clean_up),
    cmocka_unit_test_teardown(test_batches_are_bounded_in_bytes, clean_up),
    cmocka_unit_test_teardown(test_trims_against_threads, clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
