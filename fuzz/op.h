/* SPDX-License-Identifier: MIT */
/*
 * How an input is read: as records of eight bytes, each of them one operation.  What is left over at the end is ignored, so
 * that every input means something, and cutting, repeating and exchanging records (mutator.c) gives another that does.
 *
 *   0      1      2      3      4 .. 7
 *   | kind | which| size | more | value, little-endian |
 *
 * kind   what is to be done, modulo the number of things the target can do
 * which  bits 7..6: the thread; all of it: which of the live allocations, modulo their number
 * size   bits 5..0: a size class, or from 60 on a span; bits 7..6: exactly that, a byte less, a byte more, or any below
 * more   an alignment, a count, a parameter: as the kind says
 */
#ifndef COPSE_FUZZ_OP_H
#define COPSE_FUZZ_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OP_BYTES = 8, OP_MOST = 256 };

struct op {
  uint8_t kind, which, size, more;
  uint32_t value;
};

struct ops {
  const uint8_t *at;
  size_t left; /* records */
};

/* At most OP_MOST of them are read. */
struct ops ops_of(const uint8_t *data, size_t size);
/* false: there are no more. */
bool op_next(struct ops *ops, struct op *op);

/* The thread that an operation asks for, below `threads`. */
static inline unsigned op_thread(const struct op *op, unsigned threads) { return (op->which >> 6) % threads; }
/* The size that it asks for: 0 to some 9 MB. */
size_t op_size(const struct op *op);
/* A power of two from 1 to 2^most. */
static inline size_t op_alignment(const struct op *op, unsigned most) { return (size_t)1 << op->more % (most + 1); }

#endif
