/* SPDX-License-Identifier: MIT */
/* The recycler against a plain stack.  Its interleavings are tests/model's and stress/'s; here each push is to raise the generation. */
#include "expect.h"
#include "op.h"
#include "recycler.h"
#include "target.h"
#include <string.h>

enum { BUNDLES = 64 };

static struct bundle bundles[BUNDLES] __attribute__((aligned(BUNDLE_BYTES)));
static struct recycler recycler;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  unsigned stack[BUNDLES], height = 0;
  bool inside[BUNDLES] = {false};
  uint64_t slots = 0;
  memset(&recycler, 0, sizeof recycler);
  while (op_next(&ops, &op)) {
    unsigned which = op.which % BUNDLES, cap = op.more % (BUNDLES + 2);
    struct bundle *b = &bundles[which];
    uint64_t generation = recycler.head.high;
    switch (op.kind % 3) {
    case 0: {
      if (inside[which]) break;
      unsigned depth = 1 + op.size % BUNDLE_SLOTS;
      bundle_open(b, depth);
      bool fits = height < cap;
      expect(copse_recycler_push_mpmc(&recycler, b, cap) == fits);
      if (!fits) break;
      expect(recycler.head.high > generation);
      stack[height++] = which;
      inside[which] = true;
      slots += depth;
      break;
    }
    case 1: {
      struct bundle *top = copse_recycler_pop_mpmc(&recycler);
      expect(top == (height ? &bundles[stack[height - 1]] : NULL));
      if (!height) break;
      inside[stack[--height]] = false;
      slots -= bundle_depth(top);
      expect(top->bottom[-1] == NULL || bundle_depth(top) == 0);
      break;
    }
    case 2: expect(copse_recycler_slots(&recycler) == slots); break;
    }
    expect(recycler_count(&recycler) == height);
  }
  while (height) expect(copse_recycler_pop_mpmc(&recycler) == &bundles[stack[--height]]);
  expect(!copse_recycler_pop_mpmc(&recycler) && copse_recycler_slots(&recycler) == 0);
  return 0;
}
