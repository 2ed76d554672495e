/* SPDX-License-Identifier: MIT */
/* Bit-trees and chains of them against a naive bitmap: a byte a number. */
#include "chain.h"
#include "expect.h"
#include "op.h"
#include "target.h"
#include <string.h>

enum { TREES = 3, BLOCKS = TREES * BIT_TREE_SIZE };

static struct bit_tree first, rest[TREES], trees;
static struct chain chain = {&first, rest, &trees};
static unsigned char naive[BLOCKS];

static uint64_t naive_next(uint64_t from, uint64_t blocks) {
  const unsigned char *found = from < blocks ? memchr(naive + from, 1, blocks - from) : NULL;
  return found ? (uint64_t)(found - naive) : CHAIN_NONE;
}

/* Numbers near the ends of words, of middles and of trees are as likely as all others. */
static uint64_t number(const struct op *op) {
  static const uint64_t edges[] = {0, 63, 64, 4095, 4096, BIT_TREE_SIZE - 1, BIT_TREE_SIZE, 2 * BIT_TREE_SIZE - 1, BLOCKS - 1};
  uint64_t n = op->more & 1 ? op->value : edges[op->which % (sizeof edges / sizeof *edges)] + (op->value & 3);
  return n % BLOCKS;
}

static void set(uint64_t n, bool on) {
  /* A number is set and cleared once. */
  if (naive[n] == on) return;
  if (on) chain_set(&chain, n);
  else chain_clear(&chain, n);
  naive[n] = on;
}

static void check_tree(const struct bit_tree *tree, const unsigned char *bytes, unsigned from) {
  unsigned next = from;
  while (next < BIT_TREE_SIZE && !bytes[next]) next++;
  expect(copse_bit_tree_valid(tree));
  expect(copse_bit_tree_next(tree, from) == next);
  expect(copse_bit_tree_next(tree, BIT_TREE_SIZE) == BIT_TREE_NONE);
  bool any = memchr(bytes, 1, BIT_TREE_SIZE) != NULL;
  expect(bit_tree_any(tree) == any);
  if (any) expect(bit_tree_first(tree) == (unsigned)((const unsigned char *)memchr(bytes, 1, BIT_TREE_SIZE) - bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  memset(&first, 0, sizeof first);
  memset(rest, 0, sizeof rest);
  memset(&trees, 0, sizeof trees);
  memset(naive, 0, sizeof naive);
  while (op_next(&ops, &op)) {
    uint64_t n = number(&op), t = n / BIT_TREE_SIZE;
    switch (op.kind % 6) {
    case 0: set(n, true); break;
    case 1: set(n, false); break;
    case 2: /* a run, or every so manieth */
      for (uint64_t i = 0; i < (op.more >> 2) + 1u; i++) set((n + i * ((op.size & 127) + 1u)) % BLOCKS, !(op.size >> 7));
      break;
    case 3: expect(copse_chain_next(&chain, n, BLOCKS) == naive_next(n, BLOCKS)); break;
    case 4: check_tree(t ? &rest[t] : &first, naive + t * BIT_TREE_SIZE, (unsigned)(n % BIT_TREE_SIZE)); break;
    case 5: expect(chain_has(&chain, n) == naive[n]); break;
    }
    expect(chain_first(&chain, BLOCKS) == naive_next(0, BLOCKS));
  }
  for (uint64_t n = chain_first(&chain, BLOCKS), m = naive_next(0, BLOCKS);; n = copse_chain_next(&chain, n + 1, BLOCKS), m = naive_next(m + 1, BLOCKS)) {
    expect(n == m);
    if (n == CHAIN_NONE) break;
  }
  for (unsigned t = 0; t < TREES; t++) expect(copse_bit_tree_valid(t ? &rest[t] : &first));
  expect(copse_bit_tree_valid(&trees));
  return 0;
}
