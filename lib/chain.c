/* SPDX-License-Identifier: MIT */
#include "chain.h"

u64 copse_chain_next(const struct chain *c, u64 from, u64 blocks) {
  if (from >= blocks) return CHAIN_NONE;
  u64 t = from >> BIT_TREE_BITS;
  unsigned i = copse_bit_tree_next(chain_tree(c, from), (unsigned)from & (BIT_TREE_SIZE - 1));
  if (i != BIT_TREE_NONE) return t << BIT_TREE_BITS | i;
  if (blocks <= BIT_TREE_SIZE) return CHAIN_NONE;
  t = copse_bit_tree_next(c->trees, (unsigned)t + 1);
  return t == BIT_TREE_NONE ? CHAIN_NONE : t << BIT_TREE_BITS | bit_tree_first(&c->rest[t]);
}
