/* SPDX-License-Identifier: MIT */
/* The chain of bit-trees against a plain array of flags, over five trees and at the far end of 2^28 numbers. */
#include "core.h"
#include "chain.h"
#include <sys/mman.h>

enum { TREES = 5, BLOCKS = TREES * BIT_TREE_SIZE };

static struct bit_tree first, rest[TREES], trees;
static bool naive[BLOCKS];

static struct chain chain_make(void) {
  memset(&first, 0, sizeof first);
  memset(rest, 0, sizeof rest);
  memset(&trees, 0, sizeof trees);
  memset(naive, 0, sizeof naive);
  return (struct chain){&first, rest, &trees};
}

static u64 naive_next(u64 from, u64 blocks) {
  for (; from < blocks; from++)
    if (naive[from]) return from;
  return CHAIN_NONE;
}

/* Bit t of `trees` is set iff tree t, t > 0, is not empty; and each tree is whole. */
static bool chain_valid(void) {
  for (unsigned t = 0; t < TREES; t++) {
    const struct bit_tree *tree = t ? &rest[t] : &first;
    if (!copse_bit_tree_valid(tree) || bit_tree_has(&trees, t) != (t && bit_tree_any(tree))) return false;
  }
  return copse_bit_tree_valid(&trees) && !bit_tree_any(&rest[0]);
}

static void test_empty(void **state) {
  (void)state;
  struct chain c = chain_make();
  assert_true(chain_first(&c, 0) == CHAIN_NONE);
  assert_true(chain_first(&c, BLOCKS) == CHAIN_NONE);
  assert_true(copse_chain_next(&c, 0, 0) == CHAIN_NONE);
  for (u64 from = 0; from <= BLOCKS; from += 1111) assert_true(copse_chain_next(&c, from, BLOCKS) == CHAIN_NONE);
}

static void test_each_number_alone(void **state) {
  (void)state;
  struct chain c = chain_make();
  for (u64 i = 0; i < BLOCKS; i += i % BIT_TREE_SIZE == BIT_TREE_SIZE - 1 ? 1 : min_u64(97, BIT_TREE_SIZE - 1 - i % BIT_TREE_SIZE)) {
    chain_set(&c, i);
    assert_true(chain_has(&c, i) && chain_valid());
    assert_int_equal(chain_first(&c, BLOCKS), i);
    assert_int_equal(chain_first(&c, i + 1), i);
    assert_int_equal(copse_chain_next(&c, 0, BLOCKS), i);
    assert_int_equal(copse_chain_next(&c, i, i + 1), i);
    assert_true(copse_chain_next(&c, i + 1, BLOCKS) == CHAIN_NONE);
    chain_clear(&c, i);
    assert_true(!chain_has(&c, i) && chain_valid() && chain_first(&c, BLOCKS) == CHAIN_NONE);
  }
}

/* A pool of one tree touches neither `rest` nor `trees`: here they are not even mapped. */
static void test_one_tree_touches_nothing_else(void **state) {
  (void)state;
  chain_make();
  void *wall = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(wall != MAP_FAILED);
  struct chain c = {&first, wall, wall};
  chain_set(&c, 0);
  chain_set(&c, BIT_TREE_SIZE - 1);
  chain_clear(&c, 0);
  assert_int_equal(chain_first(&c, BIT_TREE_SIZE), BIT_TREE_SIZE - 1);
  assert_int_equal(copse_chain_next(&c, 1, BIT_TREE_SIZE), BIT_TREE_SIZE - 1);
  chain_clear(&c, BIT_TREE_SIZE - 1);
  assert_true(chain_first(&c, BIT_TREE_SIZE) == CHAIN_NONE);
  assert_true(copse_chain_next(&c, 0, BIT_TREE_SIZE) == CHAIN_NONE);
  munmap(wall, 4096);
}

static void test_tree_zero_comes_first(void **state) {
  (void)state;
  struct chain c = chain_make();
  chain_set(&c, 4 * BIT_TREE_SIZE + 3);
  chain_set(&c, 2 * BIT_TREE_SIZE);
  chain_set(&c, 100);
  assert_int_equal(chain_first(&c, BLOCKS), 100);
  assert_int_equal(copse_chain_next(&c, 101, BLOCKS), 2 * BIT_TREE_SIZE);
  assert_int_equal(copse_chain_next(&c, 2 * BIT_TREE_SIZE + 1, BLOCKS), 4 * BIT_TREE_SIZE + 3);
  chain_clear(&c, 100);
  assert_int_equal(chain_first(&c, BLOCKS), 2 * BIT_TREE_SIZE);
  chain_clear(&c, 2 * BIT_TREE_SIZE);
  assert_int_equal(chain_first(&c, BLOCKS), 4 * BIT_TREE_SIZE + 3);
}

static void differential(u64 seed, unsigned steps, u64 spread, unsigned fill) {
  struct chain c = chain_make();
  for (unsigned step = 0; step < steps; step++) {
    u64 i = random_below(&seed, BLOCKS / spread) * spread;
    naive[i] = random_below(&seed, 100) < fill;
    if (naive[i])
      chain_set(&c, i);
    else
      chain_clear(&c, i);
    u64 from = random_below(&seed, BLOCKS);
    if (chain_has(&c, i) != naive[i] || chain_first(&c, BLOCKS) != naive_next(0, BLOCKS) ||
        copse_chain_next(&c, from, BLOCKS) != naive_next(from, BLOCKS))
      fail_msg("step %u, seed %llu", step, (unsigned long long)seed);
    if (step % 64 == 0) assert_true(chain_valid());
  }
  assert_true(chain_valid());
}

static void test_against_naive(void **state) {
  (void)state;
  differential(1, 8000, 1, 50);
  differential(2, 8000, 1024, 30);          /* sparse: trees come and go */
  differential(3, 2000, BIT_TREE_SIZE, 40); /* one number a tree */
}

/* 2^14 trees of 2^14 numbers: the last one, in address space that only its own pages have. */
static void test_far_end(void **state) {
  (void)state;
  chain_make();
  size_t bytes = (size_t)BIT_TREE_SIZE * sizeof(struct bit_tree);
  struct bit_tree *far = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_true(far != MAP_FAILED);
  struct chain c = {&first, far, &trees};
  const u64 all = (u64)1 << 28;
  chain_set(&c, all - 1);
  assert_true(bit_tree_has(&trees, BIT_TREE_SIZE - 1));
  assert_int_equal(chain_first(&c, all), all - 1);
  assert_int_equal(copse_chain_next(&c, 0, all), all - 1);
  assert_int_equal(copse_chain_next(&c, all - 1, all), all - 1);
  assert_true(copse_chain_next(&c, all, all) == CHAIN_NONE);
  chain_clear(&c, all - 1);
  assert_false(bit_tree_any(&trees));
  assert_true(chain_first(&c, all) == CHAIN_NONE);
  munmap(far, bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_empty),
    cmocka_unit_test(test_each_number_alone),
    cmocka_unit_test(test_one_tree_touches_nothing_else),
    cmocka_unit_test(test_tree_zero_comes_first),
    cmocka_unit_test(test_against_naive),
    cmocka_unit_test(test_far_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
