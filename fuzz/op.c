/* SPDX-License-Identifier: MIT */
#include "op.h"

struct ops ops_of(const uint8_t *data, size_t size) {
  size_t records = size / OP_BYTES;
  return (struct ops){data, records < OP_MOST ? records : OP_MOST};
}

bool op_next(struct ops *ops, struct op *op) {
  if (!ops->left) return false;
  const uint8_t *at = ops->at;
  *op = (struct op){at[0], at[1], at[2], at[3],
                    at[4] | (uint32_t)at[5] << 8 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 24};
  ops->at += OP_BYTES;
  ops->left--;
  return true;
}

/* The sizes of the classes, from their description in size_class.h and not by its functions: 16 to 128, then four a doubling. */
static size_t size_of_class(unsigned class) {
  size_t doubling = 128;
  if (class < 8) return 16 * ((size_t)class + 1);
  for (unsigned i = 8; i + 4 <= class; i += 4) doubling *= 2;
  return doubling + (class % 4 + 1) * (doubling / 4);
}

size_t op_size(const struct op *op) {
  unsigned class = op->size & 63;
  size_t size = class < 60 ? size_of_class(class) : (size_t)(class - 58) * ((size_t)1 << 20) + (op->value >> 8) % 3 * ((size_t)2 << 20);
  switch (op->size >> 6) {
  case 1: return size - 1;
  case 2: return size + 1;
  case 3: return op->value % (size + 1);
  default: return size;
  }
}
