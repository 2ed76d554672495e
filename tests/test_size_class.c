/* SPDX-License-Identifier: MIT */
/* Sizes to classes and back, colours, inverses, and the routing, each against a naive search. */
#include "core.h"
#include "size_class.h"

/* The list that the header shows, made the naive way. */
static u64 naive_size(unsigned class) {
  u64 size = 16, step = 16;
  for (unsigned i = 0; i < class; i++) {
    if (i >= 7 && (i - 7) % 4 == 0) step = size / 4;
    size += step;
  }
  return size;
}

static unsigned naive_route(u64 size, u64 alignment) {
  for (unsigned class = 0; class < CLASSES; class++)
    if (class_size(class) >= size && class_size(class) % alignment == 0) return class;
  return CLASS_NONE;
}

static void test_sizes(void **state) {
  (void)state;
  static const u64 shown[] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512};
  for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++) assert_int_equal(class_size(i), shown[i]);
  for (unsigned class = 0; class < CLASSES; class++) assert_int_equal(class_size(class), naive_size(class));
  assert_int_equal(class_size(CLASSES - 4), 655360);
  assert_int_equal(class_size(CLASSES - 1), COPSE_CLASS_SIZE_MAX);
}

static void test_every_size_has_its_class(void **state) {
  (void)state;
  unsigned class = 0;
  for (u64 size = 0; size <= COPSE_CLASS_SIZE_MAX; size++) {
    if (size > class_size(class)) class++;
    if (class_of_size(size) != class || copse_class_(size) != class) fail_msg("size %llu", (unsigned long long)size);
  }
  assert_int_equal(class, CLASSES - 1);
}

static void test_alignments(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    u64 alignment = class_alignment(class);
    assert_true(is_power_of_two(alignment) && alignment >= 16);
    assert_int_equal(class_size(class) % alignment, 0);
    assert_int_not_equal(class_size(class) % (2 * alignment), 0);
  }
}

static void test_inverse_divides(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    u64 size = class_size(class), shift = lowest_bit(size), odd = size >> shift, inverse = class_inverse(odd);
    assert_true(odd == 1 || odd == 3 || odd == 5 || odd == 7);
    assert_true(odd * inverse == 1);
    u64 last = ((u64)1 << REGION_BITS_MAX) / size;
    for (u64 slot = 0; slot < 1000; slot++) {
      assert_int_equal(((slot * size) >> shift) * inverse, slot);
      assert_int_equal((((last - slot) * size) >> shift) * inverse, last - slot);
    }
  }
}

static void test_colours(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    u64 colour = class_colour(class, 0);
    assert_int_equal(colour % 4096, 0);
    assert_int_equal(colour % class_alignment(class), 0);
    /* At least one slot fits in the least of regions. */
    assert_true(colour + class_size(class) <= (u64)1 << REGION_BITS_MIN);
    /* Where alignment leaves the choice, no two stand at the same page. */
    for (unsigned other = 0; other < class; other++)
      if (class_alignment(class) <= 4096 && class_alignment(other) <= 4096) assert_int_not_equal(colour, class_colour(other, 0));
    for (unsigned arena = 1; arena < ARENA_ROWS; arena++) {
      u64 there = class_colour(class, arena);
      assert_int_equal(there % 4096, 0);
      assert_int_equal(there % class_alignment(class), 0);
      assert_true(there + 64 * class_size(class) <= (u64)1 << REGION_BITS_MIN_ARENAS);
      if (class_alignment(class) <= 4096) assert_int_not_equal(there, colour);
    }
  }
}

static void test_route(void **state) {
  (void)state;
  u64 random = 1;
  for (u64 alignment = 1; alignment <= COPSE_CLASS_SIZE_MAX; alignment *= 2) {
    for (u64 size = 0; size <= 2100; size++)
      if (copse_class_route(size, alignment) != naive_route(size, alignment))
        fail_msg("size %llu at %llu", (unsigned long long)size, (unsigned long long)alignment);
    for (unsigned i = 0; i < 2000; i++) {
      u64 size = random_below(&random, COPSE_CLASS_SIZE_MAX + 10);
      if (copse_class_route(size, alignment) != naive_route(size, alignment))
        fail_msg("size %llu at %llu", (unsigned long long)size, (unsigned long long)alignment);
    }
    /* Each class's own size, one below and one above. */
    for (unsigned class = 0; class < CLASSES; class++)
      for (u64 size = class_size(class) - 1; size <= class_size(class) + 1; size++)
        assert_int_equal(copse_class_route(size, alignment), naive_route(size, alignment));
  }
}

static void test_route_beyond_classes(void **state) {
  (void)state;
  assert_int_equal(copse_class_route(COPSE_CLASS_SIZE_MAX, 16), CLASSES - 1);
  assert_int_equal(copse_class_route(COPSE_CLASS_SIZE_MAX, COPSE_CLASS_SIZE_MAX), CLASSES - 1);
  assert_int_equal(copse_class_route(COPSE_CLASS_SIZE_MAX + 1, 16), CLASS_NONE);
  assert_int_equal(copse_class_route(1, 2 * COPSE_CLASS_SIZE_MAX), CLASS_NONE);
  assert_int_equal(copse_class_route(UINT64_MAX, 16), CLASS_NONE);
  assert_int_equal(copse_class_route(0, (u64)1 << 63), CLASS_NONE);
}

static void test_small_alignment_is_no_alignment(void **state) {
  (void)state;
  for (u64 size = 0; size <= COPSE_CLASS_SIZE_MAX; size += 1 + size / 64)
    for (u64 alignment = 1; alignment <= 16; alignment *= 2)
      assert_int_equal(copse_class_route(size, alignment), class_of_size(size));
}

/* What copse.h promises of copse_alloc. */
static void test_powers_of_two_are_aligned_to_themselves(void **state) {
  (void)state;
  for (u64 size = 16; size <= COPSE_CLASS_SIZE_MAX; size *= 2)
    assert_int_equal(class_alignment(class_of_size(size)) % size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sizes),
    cmocka_unit_test(test_every_size_has_its_class),
    cmocka_unit_test(test_alignments),
    cmocka_unit_test(test_inverse_divides),
    cmocka_unit_test(test_colours),
    cmocka_unit_test(test_route),
    cmocka_unit_test(test_route_beyond_classes),
    cmocka_unit_test(test_small_alignment_is_no_alignment),
    cmocka_unit_test(test_powers_of_two_are_aligned_to_themselves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
