/* SPDX-License-Identifier: MIT */
/* Which slots a pool takes, one by one, against a model that looks at all of them each time. */
#include "pool_help.h"

#define MB ((u64)1 << 20)
#define RESERVE ((u64)1 << 37)   /* regions of 2 GB */

static int up(void **state) {
  (void)state;
  core_up(RESERVE);
  return 0;
}

static int down(void **state) {
  (void)state;
  core_down();
  return 0;
}

/* What a pool of whole blocks should do, kept the slow way. */
enum { MODEL_SLOTS = 64 * 2000 };
static struct {
  u8 free[MODEL_SLOTS], warm[MODEL_SLOTS]; /* warm: of a slotwise pool, or of any: the whole block */
  u64 frontier;
} model;

static unsigned model_block_free(u64 block) {
  unsigned n = 0;
  for (unsigned i = 0; i < 64; i++) n += model.free[64 * block + i];
  return n;
}

static unsigned model_block_warm(u64 block) {
  unsigned n = 0;
  for (unsigned i = 0; i < 64; i++) n += model.free[64 * block + i] && model.warm[64 * block + i];
  return n;
}

/* The block to take from: partial, then vacant, then bare; of slotwise pools any with warm slots, then bare ones. */
static u64 model_choose(bool slotwise, bool *warm_only) {
  u64 blocks = (model.frontier + 63) / 64, vacant = CHAIN_NONE, bare = CHAIN_NONE;
  *warm_only = false;
  for (u64 b = 0; b < blocks; b++) {
    unsigned n = model_block_free(b);
    if (!n) continue;
    if (slotwise) {
      if (model_block_warm(b)) {
        *warm_only = true;
        return b;
      }
      if (bare == CHAIN_NONE) bare = b;
    } else {
      if (n < 64) return b;
      if (model.warm[64 * b]) {
        if (vacant == CHAIN_NONE) vacant = b;
      } else if (bare == CHAIN_NONE) {
        bare = b;
      }
    }
  }
  return vacant != CHAIN_NONE ? vacant : bare;
}

static void model_grow(const struct pool *p) {
  for (; model.frontier < p->frontier; model.frontier++) {
    require(model.frontier < MODEL_SLOTS);
    model.free[model.frontier] = 1;
    model.warm[model.frontier] = 0;
  }
}

/* One take of both; they must agree on every slot. */
static void model_take(struct pool *p, unsigned n, void *out[], unsigned *taken) {
  bool warm_only;
  assert_int_equal(copse_pool_take(p, n, out, taken), POOL_TAKEN);
  if (model_choose(p->slotwise, &warm_only) == CHAIN_NONE) model_grow(p);
  assert_int_equal(model.frontier, p->frontier); /* it grows where there is nothing, and only there */
  u64 expected[64];
  unsigned total = 0;
  while (total < n) {
    u64 block = model_choose(p->slotwise, &warm_only);
    if (block == CHAIN_NONE) break;
    for (u64 slot = 64 * block; slot < 64 * block + 64 && total < n; slot++) {
      if (!model.free[slot] || (warm_only && !model.warm[slot])) continue;
      model.free[slot] = 0;
      expected[total++] = slot;
      if (p->slotwise) model.warm[slot] = 1;
    }
    if (!p->slotwise) memset(&model.warm[64 * block], 1, 64);
  }
  assert_int_equal(*taken, total);
  /* In blocks the lowest first, and all of it the lowest last. */
  for (unsigned i = 0; i < total; i++) assert_int_equal(pool_slot(p, out[total - 1 - i]), expected[i]);
}

static void against_model(unsigned class, u64 seed, unsigned most, unsigned rounds) {
  static void *live[MODEL_SLOTS];
  struct pool *p = &copse_pools[class];
  u64 n_live = 0;
  memset(&model, 0, sizeof model);
  copse_tunables.growth_min = 4096;
  copse_tunables.growth_max = 16 * p->size * 64;
  for (unsigned round = 0; round < rounds; round++) {
    bool grow = n_live == 0 || (n_live < most && random_below(&seed, 100) < 55);
    if (grow) {
      void *out[64];
      unsigned taken;
      model_take(p, 1 + (unsigned)random_below(&seed, 64), out, &taken);
      memcpy(live + n_live, out, taken * sizeof *out);
      n_live += taken;
    } else {
      void *back[150];
      unsigned n = 1 + (unsigned)random_below(&seed, 150);
      /* Now and then a long row, so that whole blocks come free. */
      u64 at = random_below(&seed, n_live), row = random_below(&seed, 2);
      if (n > n_live) n = (unsigned)n_live;
      for (unsigned i = 0; i < n; i++) {
        if (!row || at >= n_live) at = random_below(&seed, n_live);
        back[i] = live[at];
        live[at] = live[--n_live];
        model.free[pool_slot(p, back[i])] = 1;
      }
      copse_pool_put(p, n, back);
    }
    if (round % 64 == 0) assert_true(pool_balanced(p, n_live, 0));
  }
  assert_true(pool_balanced(p, n_live, 0));
  copse_pool_put(p, (unsigned)n_live, live);
  assert_true(pool_balanced(p, 0, 0));
  tunables_reset();
}

static void test_against_model(void **state) {
  (void)state;
  const unsigned rounds = UNDER_SANITIZER ? 300 : 1500;
  against_model(class_of_size(16), 11, 3000, rounds);
  against_model(class_of_size(112), 12, 3000, rounds);
  against_model(class_of_size(640), 13, 6000, rounds);
}

static void test_slotwise_against_model(void **state) {
  (void)state;
  const unsigned rounds = UNDER_SANITIZER ? 300 : 1500;
  against_model(class_of_size(4096), 21, 2000, rounds);
  against_model(class_of_size(7168), 22, 1500, rounds);
  against_model(class_of_size(1 * MB), 23, 300, rounds / 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_against_model, up, down),
    cmocka_unit_test_setup_teardown(test_slotwise_against_model, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
