/* SPDX-License-Identifier: MIT */
/* Growth: its steps, what the system refuses, metadata that comes with it, huge pages, and pages of other sizes. */
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
    assert_int_equal(s.pool->frontier, pool_unit(s.pool)); /* whole pages */
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
    /* Where little was reserved the largest classes are full by then. */
    if (s.pool->slots_max < 512) continue;
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

/* Each call of the step in turn is refused. */
static void refuse_each(struct shadow *s) {
  u64 ready = s->pool->ready, frontier = s->pool->frontier, own = copse_region_own_bytes, k = 1;
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
    assert_int_equal(copse_region_own_bytes, own); /* however often it is made accessible */
  }
  assert_true(k > 3); /* words, changed, slots at least */
  assert_true(s->pool->ready > ready);
  assert_true(copse_region_own_bytes - own >= (s->pool->ready - ready) * sizeof(u64));
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
  u64 committed = copse_vm_counters.committed;
  /* Behind two of metadata: the part before the huge page, and that behind it. */
  for (u64 part = 3; part <= 4; part++) {
    vm_faults_fail_none();
    vm_faults_reset();
    vm_faults.huge_2m = 1;
    vm_faults_fail_from(VM_MPROTECT, part);
    assert_int_equal(shadow_take(&s, 64), POOL_REFUSED);
    assert_int_equal(vm_faults.huge_2m, 0);
    assert_true(shadow_whole(&s));
    assert_int_equal(copse_vm_counters.committed, committed);
  }
  /* Nor do the huge ones stay, of which nobody would know: the range is as it was, without access. */
  char *huge = (char *)round_up((uptr)s.pool->start, 2 * MB);
  bool undone = false;
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++) {
    const struct vm_record *r = &vm_faults.log[i];
    char *from = r->address;
    undone = undone || (r->kind == VM_MMAP && from && from <= huge && from + r->length >= huge + 2 * MB && r->protection == 0);
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
    cmocka_unit_test_setup_teardown(test_explicit_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_refused_beside_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_transparent_huge_pages, up, down),
    cmocka_unit_test_setup_teardown(test_other_page_sizes, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
