/* SPDX-License-Identifier: MIT */
/* Giving back what takes several steps: a block in parts, of which one is refused; pages that blocks share, which go at other times. */
#include "pool_trim_help.h"

/* ---- a block above 2 MB ---- */

static char *refused_from, *refused_to;
static bool refuse_there(const struct vm_record *call) {
  return call->kind == VM_MADVISE && (char *)call->address >= refused_from && (char *)call->address < refused_to;
}

/* One part of a block is refused: it is asked for again, whatever became of the others. */
static void test_refused_part(void **state) {
  (void)state;
  const unsigned sizes[] = {40960, 65536, 131072, 1048576};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    u64 parts = 64 * sizes[i] / (2 * MB);
    for (u64 part = 0; part < min_u64(parts, 3); part++) {
      begin(class_of_size(sizes[i]));
      copse_tunables.huge = 0; /* else what is bare is asked for with it, since it may have come along */
      u64 batch = 2 * MB / s.pool->size * s.pool->size;
      take_until(64);
      shadow_put_all(&s);
      refused_from = s.pool->start + part * batch;
      refused_to = refused_from + batch;
      vm_faults.refuse = refuse_there;
      assert_int_equal(trim(0), 64 * s.pool->size - batch);
      vm_faults.refuse = NULL;
      assert_int_equal(trim(0), batch);
      assert_int_equal(trim_calls(0), 0);
      assert_int_equal(count_of(s.pool).bare, count_of(s.pool).free);
      end();
    }
  }
}

/* What may have come along on a huge page goes to the block's end, although the part before, with all that was warm, is bare by then. */
static void test_what_came_along(void **state) {
  (void)state;
  const unsigned sizes[] = {40960, 65536, 81920, 131072, 1048576};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    copse_vm_facts.huge = 2 * MB;
    take_until(2 * 64);
    shadow_put_all(&s);
    s.pool->advised = true;
    trim(0);
    for (unsigned used = 0; used < 2; used++) {
      if (used) {
        /* A slot of the first block; its neighbour may have a part of a huge page by that. */
        take_until(1);
        shadow_put_all(&s);
      } else {
        /* None, but a neighbour's was. */
        *pool_changed(s.pool, 1) |= 2;
      }
      u64 asked = *pool_changed(s.pool, 0);
      assert_true(asked == 2 || (used && asked & 1));
      assert_int_equal(trim(0), count_bits(asked) * 64 * s.pool->size);
      assert_int_equal(trim_calls(0), 0);
    }
    end();
  }
}

/* A batch has room for the first part of a block, which holds nothing that is to go, and not for the next: nor is that asked for twice. */
static void test_nothing_of_the_first_part(void **state) {
  (void)state;
  begin(class_of_size(5120));
  copse_tunables.huge = 0;
  take_until(8 * 64);
  /* Almost 2 MB, and behind it two slots that do not fit, with a page between those in use. */
  put_range(0, 6 * 64 + 24);
  put_range(7 * 64 + 5, 7 * 64 + 7);
  assert_int_equal(trim(0), (6 * 64 + 24) * s.pool->size + 4096);
  assert_int_equal(trim_calls(0), 0);
  end();
}

static void use(u64 slots) {
  take_until(slots);
  shadow_put_all(&s);
}

/* The first of two batches is under way: what the second one holds is used, and a block behind it that was bare. */
static void use_behind(void) {
  meanwhile = NULL;
  use(64 * 128 + 1);
}

/*
 * Part of a huge page is used while a trim is under way, and goes with that trim, as what may have come along does: when it is used again
 * so much may come along again.
 */
static void test_comes_along_twice(void **state) {
  (void)state;
  begin(class_of_size(64));
  copse_vm_facts.huge = 2 * MB;
  use(64 * 1024);
  s.pool->advised = true;
  trim(0);
  use(1);
  u64 whole = trim(0);
  use(64 * 256);
  meanwhile = use_behind;
  trim(0);
  assert_int_equal(count_of(s.pool).bare, count_of(s.pool).free);
  use(1);
  assert_int_equal(trim(0), whole);
  end();
}

/* Of the huge page that a pool ends in a part is used; it grows, and what is fresh may come along with what is used next. */
static void test_fresh_comes_along(void **state) {
  (void)state;
  begin(class_of_size(1024));
  copse_vm_facts.huge = 2 * MB;
  copse_tunables.growth_min = copse_tunables.growth_max = MB;
  use(1);
  s.pool->advised = true;
  u64 first = s.pool->frontier, block = 64 * s.pool->size, start = (uptr)s.pool->start;
  use(first + 1);
  assert_int_equal(trim(0), round_up(round_up(start + 1, 2 * MB) - start, block));
  end();
}

/* What is used is touched only after a trim has asked for what may have come along: it is asked for again when that is free. */
static void test_touched_late(void **state) {
  (void)state;
  const unsigned sizes[] = {80, 1024, 4096, 20480};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    copse_vm_facts.huge = 2 * MB;
    use(4 * MB / s.pool->size);
    s.pool->advised = true;
    trim(0);
    use(1);
    u64 whole = trim(0);
    take_until(1);
    assert_in_range(trim(0), MB, 4 * MB);
    assert_int_equal(trim_calls(0), 0);
    shadow_put_all(&s);
    assert_int_equal(trim(0), whole);
    assert_int_equal(trim_calls(0), 0);
    end();
  }
}

/* What was marked for a slot that came free, the bare blocks alone, is not all of a huge page: that is marked when a bare slot is taken. */
static void test_taken_behind_a_put(void **state) {
  (void)state;
  begin(class_of_size(5120));
  copse_vm_facts.huge = 2 * MB;
  take_until(3 * 64);
  s.pool->advised = true;
  put_range(0, 10); /* the last of them stays warm, for its page is not free */
  put_range(2 * 64, 3 * 64);
  trim(0);
  assert_int_equal(*pool_changed(s.pool, 0), 0);
  put_range(64, 65);
  assert_int_equal(*pool_changed(s.pool, 0), 6);
  u64 live = s.live, warm = count_of(s.pool).free - count_of(s.pool).bare;
  take_until(live + warm);
  assert_int_equal(*pool_changed(s.pool, 0), 6);
  take_until(live + warm + 1);
  assert_int_equal(*pool_changed(s.pool, 0), 7);
  end();
}

/* The same where another slot of its block came free before, and waits for its cooldown. */
static void test_touched_late_beside_warm(void **state) {
  (void)state;
  begin(class_of_size(4096));
  copse_vm_facts.huge = 2 * MB;
  use(2 * 64);
  s.pool->advised = true;
  trim(0);
  take_until(2);
  put_range(0, 1);
  trim(1);
  /* What lies behind on the huge page was asked for, and now comes along again, with the first touch of what is live. */
  assert_int_equal(*pool_changed(s.pool, 0) >> 1 & 1, 0);
  put_range(1, 2);
  assert_int_equal(*pool_changed(s.pool, 0) >> 1 & 1, 1);
  end();
}

/* ---- pages that blocks share ---- */

/* So many blocks that they end on a page. */
static u64 whole_blocks(void) {
  u64 n = 1;
  while (n * 64 * s.pool->size % 4096) n++;
  return n;
}

/*
 * A block went with a trim for which its neighbour was too young: when that one goes, under another cooldown, the page that they share
 * goes with it.
 */
static void test_neighbour_goes_later(void **state) {
  (void)state;
  const unsigned sizes[] = {80, 112, 224};
  for (unsigned i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++) {
    begin(class_of_size(sizes[i / 2]));
    u64 blocks = whole_blocks(), first = i % 2 ? 1 : 2, second = 3 - first;
    take_until(64 * 2 * blocks);
    for (u64 k = 0; k < s.live; k++) memset(s.slot[k], 1, s.pool->size);
    put_range(64 * first, 64 * (first + 1));
    trim(1);
    put_range(64 * second, 64 * (second + 1));
    trim(1);
    trim(0);
    const char *from = (char *)round_up((uptr)pool_address(s.pool, 64), 4096);
    const char *to = (char *)round_down((uptr)pool_address(s.pool, 64 * 3), 4096);
    for (const char *p = from; p < to; p++)
      if (*p) fail_msg("size %u, block %u first: byte %u of %u stayed", sizes[i / 2], (unsigned)first, (unsigned)(p - from), (unsigned)(to - from));
    assert_int_equal(trim_calls(0), 0);
    end();
  }
}

/*
 * Bare blocks of which something came along, each with half a page of a neighbour's before and behind it: where the last one of a batch
 * has no room for its neighbours, it goes with them in the next.
 */
static void test_neighbours_go_in_one_batch(void **state) {
  (void)state;
  enum { MARKED = 64 };
  begin(class_of_size(48));
  if (copse_vm_facts.page == 4096) {
    take_until(64 * 4 * (MARKED + 2));
    shadow_put_all(&s);
    trim(0);
    assert_int_equal(count_of(s.pool).bare, count_of(s.pool).free);
    s.pool->advised = true;
    /* Four blocks are three pages: the first has one neighbour, the third two. */
    for (u64 i = 0; i <= MARKED; i++) {
      u64 block = i ? 4 * i + 2 : 0;
      *pool_changed(s.pool, block) |= (u64)1 << (block & 63);
    }
    assert_int_equal(trim(0), 4096 + MARKED * 2 * 4096);
    assert_int_equal(trim_calls(0), 0);
  }
  end();
}

/* But for what shares the last page with what is not there yet, all that is free has no pages, and nothing is asked for twice. */
static void all_gone(unsigned size, u64 seed, unsigned time) {
  struct pool_count c = count_of(s.pool);
  uptr end = (uptr)pool_address(s.pool, s.pool->frontier), tail = end - round_down(end, 4096);
  u64 most = tail ? (s.pool->slotwise ? 1 : 64) * (1 + tail / (64 * s.pool->size)) : 0;
  if (c.free - c.bare > most)
    fail_msg("size %u, seed %u, time %u: %u of %u slots bare", size, (unsigned)seed, time, (unsigned)c.bare, (unsigned)c.free);
  assert_int_equal(trim_calls(0), 0);
}

static u64 seeds(void) { return UNDER_SANITIZER ? 4 : 40; }

/* Whatever was freed and given back before, in whatever order and with whatever cooldown: when all is free, all of it goes. */
static void test_all_goes_at_last(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 48, 80, 112, 224, 240, 448, 1792, 2560, 3584, 5120};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (u64 seed = 1; seed <= seeds(); seed++) {
      begin(class_of_size(sizes[i]));
      copse_tunables.huge = 0;
      copse_tunables.growth_min = copse_tunables.growth_max = 4096; /* it grows by pages, and so often */
      u64 random = seed * 7919 + i;
      /* Again and again in the same pool: what one time leaves the next one finds. */
      for (unsigned time = 0; time < 8; time++) {
        u64 blocks = 1 + random_below(&random, 4 * whole_blocks() + 8);
        for (unsigned step = 0; step < 8; step++) {
          take_until(64 * blocks - random_below(&random, 64));
          /* Whole blocks, so that some become vacant; or a few slots of some. */
          for (u64 b = 0; b < blocks; b++)
            if (random_below(&random, 3) == 0) put_range(64 * b + (random_below(&random, 3) ? 0 : random_below(&random, 64)), 64 * (b + 1));
          if (random_below(&random, 2)) trim(random_below(&random, 3));
          if (random_below(&random, 2)) trim(random_below(&random, 3));
        }
        shadow_put_all(&s);
        if (random_below(&random, 2)) trim(1 + random_below(&random, 2));
        trim(0);
        all_gone(sizes[i], seed, time);
      }
      end();
    }
}

/*
 * The same where, while one trim gives back, slots come free and another trim gives those back: a page that each has a part of neither
 * could give.
 */
static u64 meanwhile_random;
static void free_and_trim(void) {
  for (unsigned n = (unsigned)random_below(&meanwhile_random, 3); n && s.live; n--) {
    u64 at = s.known ? random_below(&meanwhile_random, s.known) : 0;
    put_range(at, at + 1 + random_below(&meanwhile_random, 100));
  }
  if (random_below(&meanwhile_random, 2)) copse_pool_trim(s.pool, random_below(&meanwhile_random, 2));
}

static void test_all_goes_though_two_trim(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 48, 80, 112, 224, 240, 448, 1024, 1792, 2560, 3584, 4096, 5120, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (u64 seed = 1; seed <= seeds(); seed++) {
      begin(class_of_size(sizes[i]));
      copse_tunables.huge = 0;
      copse_tunables.growth_min = copse_tunables.growth_max = 4096;
      meanwhile_random = seed * 104729 + i;
      for (unsigned time = 0; time < 8; time++) {
        u64 blocks = 1 + random_below(&meanwhile_random, 4 * whole_blocks() + 8);
        take_until(64 * blocks);
        meanwhile = free_and_trim;
        for (unsigned step = 0; step < 4; step++) {
          free_and_trim();
          copse_pool_trim(s.pool, random_below(&meanwhile_random, 2));
        }
        meanwhile = NULL;
        shadow_put_all(&s);
        trim(0);
        all_gone(sizes[i], seed, time);
      }
      end();
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_refused_part, clean_up),
    cmocka_unit_test_teardown(test_what_came_along, clean_up),
    cmocka_unit_test_teardown(test_nothing_of_the_first_part, clean_up),
    cmocka_unit_test_teardown(test_comes_along_twice, clean_up),
    cmocka_unit_test_teardown(test_fresh_comes_along, clean_up),
    cmocka_unit_test_teardown(test_touched_late, clean_up),
    cmocka_unit_test_teardown(test_taken_behind_a_put, clean_up),
    cmocka_unit_test_teardown(test_touched_late_beside_warm, clean_up),
    cmocka_unit_test_teardown(test_neighbour_goes_later, clean_up),
    cmocka_unit_test_teardown(test_neighbours_go_in_one_batch, clean_up),
    cmocka_unit_test_teardown(test_all_goes_at_last, clean_up),
    cmocka_unit_test_teardown(test_all_goes_though_two_trim, clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
