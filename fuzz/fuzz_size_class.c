/* SPDX-License-Identifier: MIT */
/* Sizes to classes against a table that is filled by counting, and searched from its beginning. */
#include "expect.h"
#include "op.h"
#include "size_class.h"
#include "target.h"

static uint64_t table[CLASSES];

/* 16 to 128 by 16; from there on four steps a doubling. */
static void fill(void) {
  uint64_t size = 0, step = 16;
  for (unsigned class = 0; class < CLASSES; class++) {
    table[class] = size += step;
    if (size >= 128 && !(size & (size - 1))) step = size / 4;
  }
  expect(table[CLASSES - 1] == COPSE_CLASS_SIZE_MAX);
}

static unsigned route(uint64_t size, uint64_t alignment) {
  for (unsigned class = 0; class < CLASSES; class++)
    if (table[class] >= size && table[class] % alignment == 0) return class;
  return CLASS_NONE;
}

static void check(uint64_t size, uint64_t alignment) {
  unsigned class = route(size, alignment);
  expect(copse_class_route(size, alignment) == class);
  if (size <= COPSE_CLASS_SIZE_MAX) {
    expect(class_of_size(size) == route(size, 16));
    expect(copse_class_(size) == route(size, 16));
  }
  if (class == CLASS_NONE) return;
  expect(class_size(class) == table[class]);
  expect(class_alignment(class) >= alignment && table[class] % class_alignment(class) == 0);
  for (unsigned arena = 0; arena < 8; arena++) expect(class_colour(class, arena) % class_alignment(class) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  if (!table[0]) fill();
  while (op_next(&ops, &op)) {
    uint64_t alignment = (uint64_t)1 << op.more % 31;
    check(op_size(&op), alignment);
    check(op.value, alignment);
    check((uint64_t)op.value << (op.which % 33), alignment);
    /* x / odd of multiples of odd. */
    uint64_t odd = 1 + 2 * (op.which % 4u), multiple = odd * op.value;
    expect(multiple * class_inverse(odd) == op.value);
  }
  return 0;
}
