/* SPDX-License-Identifier: MIT */
/* The bit-tree against a plain array of flags. */
#include "core.h"
#include "bit_tree.h"

struct naive {
  bool has[BIT_TREE_SIZE];
};

static unsigned naive_next(const struct naive *n, unsigned from) {
  while (from < BIT_TREE_SIZE && !n->has[from]) from++;
  return from;
}

static void test_layout(void **state) {
  (void)state;
  assert_int_equal(sizeof(struct bit_tree), 2088);
  assert_int_equal(BIT_TREE_SIZE, 16384);
}

static void test_empty(void **state) {
  (void)state;
  struct bit_tree t = {0};
  assert_false(bit_tree_any(&t));
  assert_true(copse_bit_tree_valid(&t));
  for (unsigned i = 0; i < BIT_TREE_SIZE; i++) assert_false(bit_tree_has(&t, i));
  for (unsigned from = 0; from <= BIT_TREE_SIZE; from++) assert_int_equal(copse_bit_tree_next(&t, from), BIT_TREE_NONE);
}

static void test_each_number_alone(void **state) {
  (void)state;
  struct bit_tree t = {0}, empty = {0};
  for (unsigned i = 0; i < BIT_TREE_SIZE; i++) {
    bit_tree_set(&t, i);
    if (!bit_tree_any(&t) || !bit_tree_has(&t, i) || bit_tree_first(&t) != i || !copse_bit_tree_valid(&t) ||
        copse_bit_tree_next(&t, 0) != i || copse_bit_tree_next(&t, i) != i || copse_bit_tree_next(&t, i + 1) != BIT_TREE_NONE)
      fail_msg("number %u", i);
    bit_tree_set(&t, i); /* once more changes nothing */
    assert_true(copse_bit_tree_valid(&t));
    bit_tree_clear(&t, i);
    assert_memory_equal(&t, &empty, sizeof t);
    bit_tree_clear(&t, i);
    assert_memory_equal(&t, &empty, sizeof t);
  }
}

static void test_full_and_down_again(void **state) {
  (void)state;
  struct bit_tree t = {0}, empty = {0};
  for (unsigned i = BIT_TREE_SIZE; i-- > 0;) {
    bit_tree_set(&t, i);
    if (bit_tree_first(&t) != i) fail_msg("set %u", i);
  }
  assert_int_equal(t.root, 15);
  for (unsigned i = 0; i < 256; i++) assert_true(t.leaf[i] == ~(u64)0);
  assert_true(copse_bit_tree_valid(&t));
  for (unsigned i = 0; i < BIT_TREE_SIZE; i++) {
    if (bit_tree_first(&t) != i || copse_bit_tree_next(&t, i) != i) fail_msg("clear %u", i);
    bit_tree_clear(&t, i);
  }
  assert_memory_equal(&t, &empty, sizeof t);
}

static void differential(u64 seed, unsigned steps, unsigned spread, unsigned fill) {
  static struct naive n;
  struct bit_tree t = {0};
  memset(&n, 0, sizeof n);
  for (unsigned step = 0; step < steps; step++) {
    unsigned i = (unsigned)random_below(&seed, BIT_TREE_SIZE / spread) * spread;
    if (random_below(&seed, 100) < fill) {
      bit_tree_set(&t, i);
      n.has[i] = true;
    } else {
      bit_tree_clear(&t, i);
      n.has[i] = false;
    }
    unsigned first = naive_next(&n, 0), from = (unsigned)random_below(&seed, BIT_TREE_SIZE + 1);
    if (bit_tree_has(&t, i) != n.has[i] || bit_tree_any(&t) != (first != BIT_TREE_SIZE) ||
        (bit_tree_any(&t) && bit_tree_first(&t) != first) || copse_bit_tree_next(&t, from) != naive_next(&n, from))
      fail_msg("step %u, seed %llu", step, (unsigned long long)seed);
    if (step % 256 == 0) assert_true(copse_bit_tree_valid(&t));
  }
  assert_true(copse_bit_tree_valid(&t));
}

static void test_against_naive(void **state) {
  (void)state;
  differential(1, 20000, 1, 55);
  differential(2, 20000, 64, 50);  /* one number a leaf: the middle level comes and goes */
  differential(3, 4000, 4096, 40); /* one number a middle word: the root comes and goes */
  differential(4, 20000, 37, 10);  /* nearly empty */
}

static void test_valid_sees_damage(void **state) {
  (void)state;
  struct bit_tree t = {0};
  bit_tree_set(&t, 5000);
  assert_true(copse_bit_tree_valid(&t));
  struct bit_tree broken = t;
  broken.leaf[5000 >> 6] = 0; /* the middle says there is one */
  assert_false(copse_bit_tree_valid(&broken));
  broken = t;
  broken.leaf[7] = 1; /* the middle knows nothing of it */
  assert_false(copse_bit_tree_valid(&broken));
  broken = t;
  broken.root = 0;
  assert_false(copse_bit_tree_valid(&broken));
  broken = t;
  broken.root |= 8;
  assert_false(copse_bit_tree_valid(&broken));
  broken = t;
  broken.root |= 16; /* there are four middle words */
  assert_false(copse_bit_tree_valid(&broken));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_layout),
    cmocka_unit_test(test_empty),
    cmocka_unit_test(test_each_number_alone),
    cmocka_unit_test(test_full_and_down_again),
    cmocka_unit_test(test_against_naive),
    cmocka_unit_test(test_valid_sees_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
