/* SPDX-License-Identifier: MIT */
/*
 * A set of 16,384 small numbers, find-first in three tzcnt.  Pure.
 * Invariant: bit i of `middle` is set iff leaf[i] is not 0, and bit i of `root` iff middle[i] is not 0.
 *
 *   root  [ 4 bits ]
 *   middle[ 4 x 64 ]
 *   leaf  [ 256 x 64 ]                                                     2,088 bytes
 */
#ifndef COPSE_BIT_TREE_H
#define COPSE_BIT_TREE_H

#include "base.h"

enum { BIT_TREE_BITS = 14, BIT_TREE_SIZE = 1 << BIT_TREE_BITS, BIT_TREE_NONE = BIT_TREE_SIZE };

struct bit_tree {
  u64 root;
  u64 middle[4];
  u64 leaf[256];
};

static inline bool bit_tree_any(const struct bit_tree *t) { return t->root != 0; }

static inline bool bit_tree_has(const struct bit_tree *t, unsigned i) { return t->leaf[i >> 6] >> (i & 63) & 1; }

static inline void bit_tree_set(struct bit_tree *t, unsigned i) {
  u64 *leaf = &t->leaf[i >> 6], *middle = &t->middle[i >> 12];
  if (*leaf == 0) {
    if (*middle == 0) t->root |= (u64)1 << (i >> 12);
    *middle |= (u64)1 << (i >> 6 & 63);
  }
  *leaf |= (u64)1 << (i & 63);
}

static inline void bit_tree_clear(struct bit_tree *t, unsigned i) {
  u64 *leaf = &t->leaf[i >> 6], *middle = &t->middle[i >> 12];
  *leaf &= ~((u64)1 << (i & 63));
  if (*leaf) return;
  *middle &= ~((u64)1 << (i >> 6 & 63));
  if (*middle == 0) t->root &= ~((u64)1 << (i >> 12));
}

/* The least number in the set.  pre: there is one. */
static inline unsigned bit_tree_first(const struct bit_tree *t) {
  unsigned high = lowest_bit(t->root);
  unsigned middle = high << 6 | lowest_bit(t->middle[high]);
  return middle << 6 | lowest_bit(t->leaf[middle]);
}

/* The least number in the set that is not below `from` (at most BIT_TREE_SIZE); BIT_TREE_NONE: there is none. */
hidden unsigned copse_bit_tree_next(const struct bit_tree *t, unsigned from);
/* Whether the invariant holds. */
hidden bool copse_bit_tree_valid(const struct bit_tree *t);

#endif
