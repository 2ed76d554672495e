/* SPDX-License-Identifier: MIT */
/*
 * A set of up to 2^28 block numbers: bit-trees, which are themselves the leaves of one more bit-tree.  Pure.
 * find-first is O(1), lowest first.  The first tree is asked by its own root and does not stand in `trees`, so that a
 * pool that never outgrows it touches nothing else.
 * Invariant: bit t of *trees is set iff tree t, t > 0, is not empty.
 * Memory: given by the pool; tree t and, if t > 0, `trees` must be accessible before a number in tree t is named.
 */
#ifndef COPSE_CHAIN_H
#define COPSE_CHAIN_H

#include "bit_tree.h"

#define CHAIN_NONE (~(u64)0)

struct chain {
  struct bit_tree *first; /* tree 0 */
  struct bit_tree *rest;  /* tree t is rest[t], t > 0 */
  struct bit_tree *trees; /* which of the rest are not empty */
};

static inline struct bit_tree *chain_tree(const struct chain *c, u64 block) {
  u64 t = block >> BIT_TREE_BITS;
  return likely(t == 0) ? c->first : &c->rest[t];
}

static inline bool chain_has(const struct chain *c, u64 block) {
  return bit_tree_has(chain_tree(c, block), (unsigned)block & (BIT_TREE_SIZE - 1));
}

/* Which are in the set of the 64 blocks that this one is among, a bit each. */
static inline u64 chain_word(const struct chain *c, u64 block) {
  return chain_tree(c, block)->leaf[(block & (BIT_TREE_SIZE - 1)) >> 6];
}

static inline void chain_set(struct chain *c, u64 block) {
  bit_tree_set(chain_tree(c, block), (unsigned)block & (BIT_TREE_SIZE - 1));
  if (unlikely(block >> BIT_TREE_BITS)) bit_tree_set(c->trees, (unsigned)(block >> BIT_TREE_BITS));
}

static inline void chain_clear(struct chain *c, u64 block) {
  struct bit_tree *tree = chain_tree(c, block);
  bit_tree_clear(tree, (unsigned)block & (BIT_TREE_SIZE - 1));
  if (unlikely(block >> BIT_TREE_BITS) && !bit_tree_any(tree)) bit_tree_clear(c->trees, (unsigned)(block >> BIT_TREE_BITS));
}

/* The least block in the set, below `blocks` (how many exist); CHAIN_NONE: there is none. */
static inline u64 chain_first(const struct chain *c, u64 blocks) {
  if (likely(bit_tree_any(c->first))) return bit_tree_first(c->first);
  if (blocks <= BIT_TREE_SIZE || !bit_tree_any(c->trees)) return CHAIN_NONE;
  u64 t = bit_tree_first(c->trees);
  return t << BIT_TREE_BITS | bit_tree_first(&c->rest[t]);
}

/* The least one not below `from`; CHAIN_NONE: there is none. */
hidden u64 copse_chain_next(const struct chain *c, u64 from, u64 blocks);

#endif
