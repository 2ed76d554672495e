/* SPDX-License-Identifier: MIT */
/*
 * Two trims of a pool at once, each with a part of a page, or of a block; and a trim of a block in several parts.  When
 * all threads are through and all is free, one more trim leaves nothing that has a page.
 */
#include "library.h"
#include "scenarios.h"
#include "size_class.h"

enum { PAGE_SIZE = 4096, BLOCK = 64, MOST = 4 * BLOCK };
static unsigned class;
static char *slot[MOST]; /* by number; NULL: free */
static unsigned slots;

static struct pool *pool(void) { return &copse_pools[class]; }

static void take(unsigned n) {
  void *out[BLOCK];
  for (unsigned taken; n; n -= taken) {
    check(copse_pool_take(pool(), n < BLOCK ? n : BLOCK, out, &taken) == POOL_TAKEN);
    for (unsigned i = 0; i < taken; i++) {
      char *p = out[i];
      u64 number = pool_slot(pool(), p);
      check(number < slots && !slot[number]);
      slot[number] = p;
      *(char **)p = p;
    }
  }
}
/* All slots that there are; they end where a page does. */
static void in_use(unsigned size, unsigned n) {
  library_setup();
  class = class_of_size(size);
  slots = n;
  take(n);
  check(pool()->frontier == n && n * size % PAGE_SIZE == 0);
  /* And no more to be had. */
  refuse_from = 1;
}

/* Slots [from, to), as their user leaves them. */
static void put(unsigned from, unsigned to) {
  void *out[BLOCK];
  while (from < to) {
    unsigned some = 0;
    for (; some < BLOCK && from < to; from++) {
      char *p = out[some++] = slot[from];
      check(*(char **)p == p);
      slot[from] = NULL;
    }
    copse_pool_put(pool(), some, out);
  }
}

/* ---- threads ---- */

static void trim(void) { copse_pool_trim(pool(), 0); }
static void trim_cooling(void) { copse_pool_trim(pool(), 1); }
static void put_a(void) { put(0, slots / 2); }
static void put_b(void) { put(slots / 2, slots); }
static void put_a_trim(void) {
  put_a();
  trim();
}
static void put_b_trim(void) {
  put_b();
  trim();
}
/* Every other block. */
static void put_even_trim(void) {
  for (unsigned i = 0; i < slots; i += 2 * BLOCK) put(i, i + BLOCK);
  trim();
}
static void put_odd_trim(void) {
  for (unsigned i = BLOCK; i < slots; i += 2 * BLOCK) put(i, i + BLOCK);
  trim();
}
static void put_block_0_trim(void) {
  put(0, BLOCK);
  trim();
}
static void put_block_1_trim(void) {
  put(BLOCK, 2 * BLOCK);
  trim();
}
/* Of a block in two parts, with a page in both. */
static void put_most_trim(void) {
  put(0, 34);
  trim();
}
static void put_rest_trim(void) {
  put(34, slots);
  trim();
}
/* All but the last page of it. */
static void put_middle_trim(void) {
  put(34, slots - 4);
  trim();
}
static void put_first(void) { put(0, 1); }
static void put_first_trim(void) {
  put_first();
  trim();
}
static void take_put(void) {
  void *p;
  unsigned taken;
  if (copse_pool_take(pool(), 1, &p, &taken) != POOL_TAKEN) return;
  *(void **)p = p;
  copse_pool_put(pool(), 1, &p);
}

/* ---- setups ---- */

/* The middle one of three pages has an end of each block. */
static void two_blocks(void) { in_use(96, 2 * BLOCK); }
static void two_blocks_half_free(void) {
  two_blocks();
  put_a();
}
/* The first block came free before a trim with a cooldown, the second one after it: of two more each is due for one. */
static void two_blocks_of_two_ages(void) {
  two_blocks();
  put_a();
  trim_cooling();
  put_b();
}
static void four_blocks_a_page(void) { in_use(16, 4 * BLOCK); }
/* Two of them are in use, the others, on the same page, are bare. */
static void four_blocks_half_bare(void) {
  four_blocks_a_page();
  put(0, slots);
  trim();
  take(2 * BLOCK);
}
/* A bare block has a part of a page with the one before it and with the one behind. */
static void block_bare_between(void) {
  in_use(48, 4 * BLOCK);
  put(0, 3 * BLOCK);
  trim();
  take(BLOCK);
  check(slot[2 * BLOCK]); /* which was warm: the fourth one has a part of its last page */
  take(BLOCK);
  check(slot[0]);
}
static void block_of_runs(void) { in_use(1024, BLOCK); }
/* Slots of a page and a quarter: the middle one of five pages has an end of each half. */
static void four_slots(void) { in_use(5120, 4); }
static void four_slots_half_free(void) {
  four_slots();
  put_a();
}
static void slot_bare_between(void) {
  four_slots();
  put(0, 3);
  trim();
  take(1);
  check(slot[2]);
  take(1);
  check(slot[0]);
}
/* Two slots more than a trim detaches at a time. */
static void above_batch(void) {
  enum { SIZE = 128 << 10 };
  in_use(SIZE, (unsigned)(TRIM_BATCH / SIZE) + 2);
}
static void above_batch_free(void) {
  above_batch();
  put(0, slots);
}
static void above_batch_but_one(void) {
  above_batch();
  put(1, slots);
}

/* ---- final checks ---- */

static void zero(unsigned n) {
  for (unsigned i = 0; i < n; i++) check(*(u64 *)pool_address(pool(), i) == 0);
  /* And none of it is asked for again. */
  check(copse_pool_trim(pool(), 0) == 0);
}
static void bare(void) {
  struct pool_count c;
  copse_pool_count(pool(), &c);
  check(c.free == slots && c.bare == slots);
  zero(slots);
  conserved(class);
}
static void all_bare(void) {
  trim();
  bare();
}
static void zero_but_last_page(void) {
  trim();
  zero(slots - 4);
}
/* What came free by now is old enough for the second one. */
static void all_bare_cooled(void) {
  trim_cooling();
  trim_cooling();
  bare();
}

#define F(name_, once_, setup_, final_, ...)                                                                           \
  {                                                                                                                    \
    .name = "pool/" name_, .once = once_, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }                  \
  }
#define S(name_, ...) F(name_, library_up, __VA_ARGS__)
/* In the least region that one arena has there is no block above a batch. */
#define L(name_, ...) F(name_, library_up_arenas, __VA_ARGS__)
const struct scenario pool_trim_scenarios[] = {
    S("trims-share-page", two_blocks, all_bare, put_a_trim, put_b_trim),
    S("trims-share-page-four", four_blocks_a_page, all_bare, put_even_trim, put_odd_trim),
    S("trims-share-page-used", two_blocks_half_free, all_bare, trim, put_b_trim, take_put),
    S("trims-share-page-cooling", two_blocks_of_two_ages, all_bare_cooled, trim_cooling, trim_cooling),
    S("trims-share-block", block_of_runs, all_bare, put_most_trim, put_rest_trim),
    S("trims-share-run", block_of_runs, zero_but_last_page, put_most_trim, put_middle_trim),
    S("trims-share-page-bare", four_blocks_half_bare, all_bare, put_block_0_trim, put_block_1_trim),
    S("trims-share-page-bare-between", block_bare_between, all_bare, put_block_0_trim, put_b_trim),
    S("slotwise-trims-share-page-bare", slot_bare_between, all_bare, put_b_trim, put_first_trim),
    S("slotwise-trims-share-page", four_slots, all_bare, put_a_trim, put_b_trim),
    S("slotwise-trims-share-page-used", four_slots_half_free, all_bare, trim, put_b_trim, take_put),
    L("trim-in-parts-against-put", above_batch_but_one, all_bare, trim, put_first),
    L("trim-in-parts-against-take-put", above_batch_free, all_bare, trim, take_put),
    {.name = NULL},
};
