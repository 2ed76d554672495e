/* SPDX-License-Identifier: MIT */
#include "bit_tree.h"

/* The bits of `word` from `bit` on; `bit` may be 64. */
static u64 from_bit(u64 word, unsigned bit) { return bit >= 64 ? 0 : word >> bit << bit; }

unsigned copse_bit_tree_next(const struct bit_tree *t, unsigned from) {
  if (from >= BIT_TREE_SIZE) return BIT_TREE_NONE;
  unsigned leaf = from >> 6;
  u64 here = from_bit(t->leaf[leaf], from & 63);
  if (here) return leaf << 6 | lowest_bit(here);
  unsigned middle = leaf >> 6;
  u64 leaves = from_bit(t->middle[middle], (leaf & 63) + 1);
  if (!leaves) {
    u64 middles = from_bit(t->root, middle + 1);
    if (!middles) return BIT_TREE_NONE;
    middle = lowest_bit(middles);
    leaves = t->middle[middle];
  }
  leaf = middle << 6 | lowest_bit(leaves);
  return leaf << 6 | lowest_bit(t->leaf[leaf]);
}

bool copse_bit_tree_valid(const struct bit_tree *t) {
  for (unsigned i = 0; i < 256; i++)
    if ((t->leaf[i] != 0) != (t->middle[i >> 6] >> (i & 63) & 1)) return false;
  for (unsigned i = 0; i < 4; i++)
    if ((t->middle[i] != 0) != (t->root >> i & 1)) return false;
  return t->root < 16;
}
