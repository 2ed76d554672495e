/* SPDX-License-Identifier: MIT */
/* Giving a pool's pages back: what goes, what stays, and when. */
#include "pool_trim_help.h"

/* ---- all of it ---- */

static void test_untouched(void **state) {
  (void)state;
  begin(4);
  assert_int_equal(trim_calls(0), 0);
  assert_int_equal(trim_calls(3), 0);
  end();
}

static void test_everything_goes(void **state) {
  (void)state;
  for (unsigned class = 0; class < CLASSES; class++) {
    begin(class);
    u64 want = max_u64(300000 / s.pool->size, 3);
    take_until(want);
    for (u64 i = 0; i < s.live; i++) memset(s.slot[i], 0xEE, s.pool->size);
    if (trim(0)) fail_msg("class %u gave back", class); /* all of it is in use, or bare */
    shadow_put_all(&s);
    u64 bytes = trim(0);
    /* But for a page at the end, which others may share. */
    assert_true(bytes + 2 * 4096 >= want * s.pool->size);
    struct pool_count c = count_of(s.pool);
    assert_true(c.free - c.bare <= (s.pool->slotwise ? 2 : 64 * (1 + 4096 / (64 * s.pool->size))));
    assert_int_equal(copse_vm_counters.in_use, (c.free - c.bare) * s.pool->size);
    /* Once is enough, also for what shares its last page. */
    assert_int_equal(trim_calls(0), 0);
    /* Gone means gone: it reads as zero. */
    take_until(want);
    for (u64 i = 0; i < want; i++) {
      u64 slot = pool_slot(s.pool, s.slot[i]);
      if ((slot + 1) * s.pool->size + 4096 < want * s.pool->size) assert_int_equal(*(u64 *)s.slot[i], 0);
    }
    end();
  }
}

static void test_empty_tail(void **state) {
  (void)state;
  begin(class_of_size(64));
  take_until(64 * 200);
  put_range(64 * 100, 64 * 200);
  assert_int_equal(trim(0), 100 * 4096);
  put_range(64 * 20, 64 * 30);
  assert_int_equal(trim(0), 10 * 4096);
  put_range(64 * 40, 64 * 41);
  assert_int_equal(trim_calls(0), 1);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* Low before high, and what has pages before what has none. */
static void test_order_after_trim(void **state) {
  (void)state;
  begin(class_of_size(64));
  take_until(64 * 10);
  put_range(64 * 2, 64 * 4);
  trim(0); /* blocks 2 and 3 are bare */
  put_range(64 * 6, 64 * 7);
  put_range(64 * 8 + 5, 64 * 8 + 10);
  void *out[64];
  unsigned taken;
  const u64 expected[] = {64 * 8 + 5, 64 * 6, 64 * 2};
  for (unsigned i = 0; i < 3; i++) {
    unsigned n = i == 0 ? 5 : 64;
    assert_int_equal(copse_pool_take(s.pool, n, out, &taken), POOL_TAKEN);
    assert_int_equal(taken, n);
    assert_int_equal(pool_slot(s.pool, out[n - 1]), expected[i]);
    for (unsigned j = 0; j < n; j++) shadow_add(&s, out[j]);
  }
  end();
}

/* A block, or slot, that shares its last page is asked for once; and again as soon as the rest of the page is free. */
static void test_shared_pages_are_asked_for_once(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 48, 80, 112, 5120, 7168, 10240};
  for (size_t page = 4096; page <= 65536; page *= 4)
    for (unsigned i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++) {
      begin_page(class_of_size(sizes[i / 2]), page);
      u64 unit = s.pool->slotwise ? 1 : 64, bytes = unit * s.pool->size, n = 1;
      while (n * bytes % page || n * bytes < 2 * page) n++;
      take_until(2 * n * unit);
      /* All but the last unit, or the first, of so many pages. */
      u64 last = i % 2 ? 0 : n - 1, kept = last ? n * bytes - round_down(last * bytes, page) : round_up(bytes, page);
      put_range(last ? 0 : unit, last ? last * unit : n * unit);
      assert_int_equal(trim(0), n * bytes - kept);
      assert_int_equal(trim_calls(0), 0);
      /* What is taken and comes back is asked for again, and no more than that. */
      put_range(last * unit, (last + 1) * unit);
      u64 rest = trim(0);
      assert_true(rest >= kept && rest <= n * bytes);
      assert_int_equal(trim_calls(0), 0);
      assert_int_equal(count_of(s.pool).bare, count_of(s.pool).free);
      end();
    }
}

/* ---- cooldown ---- */

/* A vacant block, and slots; and a run in a block that is in use: what is left alone through n trims goes with the next one. */
static void test_cooldown(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 64, 1024, 4096, 7168, 40960};
  for (unsigned i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++)
    for (u64 cooldown = 1; cooldown <= 4; cooldown++)
      for (u64 phase = 0; phase < cooldown; phase++) {
        bool run = i % 2;
        if (run && sizes[i / 2] < TRIM_RUN_SIZE) continue;
        begin(class_of_size(sizes[i / 2]));
        u64 all = 64 * 4, first = run ? 8 : 0;
        take_until(all + 64);
        for (u64 t = 0; t < phase; t++) assert_int_equal(trim(cooldown), 0);
        put_range(first, all);
        for (u64 n = 1; n <= cooldown; n++) assert_int_equal(trim(cooldown), 0);
        u64 from = round_up((uptr)pool_address(s.pool, first), 4096), to = (uptr)pool_address(s.pool, all);
        assert_int_equal(trim(cooldown), to - from);
        assert_int_equal(trim_calls(cooldown), 0);
        end();
      }
}

static void test_cooldown_starts_anew(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 4096};
  for (unsigned i = 0; i < 2; i++) {
    begin(class_of_size(sizes[i]));
    take_until(128);
    put_range(0, 64);
    for (unsigned n = 0; n < 10; n++) {
      /* Used once between two trims: it never grows old. */
      assert_int_equal(trim(1), 0);
      take_until(128);
      put_range(0, 64);
    }
    trim(1);
    assert_true(trim(1) > 0);
    end();
  }
}

static void test_cooldown_0_takes_the_young_too(void **state) {
  (void)state;
  begin(class_of_size(64));
  take_until(64 * 3);
  put_range(0, 64);
  assert_int_equal(trim(2), 0);
  assert_int_equal(trim(2), 0); /* block 0 is old */
  put_range(64, 128);           /* block 1 is young */
  assert_int_equal(trim(0), 2 * 4096);
  end();
}

/* After 2^32 trims their numbers begin anew: what came free about then goes too, at most one trim early. */
static void test_cooldown_after_very_many(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 1024, 4096};
  for (unsigned i = 0; i < 3; i++)
    for (u32 before = 0; before < 6; before++) {
      begin(class_of_size(sizes[i]));
      s.pool->tick = UINT32_MAX - before;
      take_until(128);
      put_range(0, 64);
      assert_int_equal(trim(2), 0);
      assert_int_equal(trim(2) + trim(2), 64 * s.pool->size);
      end();
    }
}

/* What is stamped is not forgotten when the parameter changes, nor asked for twice. */
static void test_cooldown_changes(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 1024, 4096};
  for (unsigned i = 0; i < 6; i++) {
    begin(class_of_size(sizes[i / 2]));
    u64 first = i % 2 && sizes[i / 2] != 64 ? 8 : 0;
    take_until(128);
    put_range(first, 64);
    assert_int_equal(trim(1000), 0);
    assert_int_equal(trim(1000), 0);
    assert_int_equal(trim(3), 0);
    if (i < 3) assert_int_equal(trim(3), (64 - first) * s.pool->size);
    else assert_int_equal(trim(0), (64 - first) * s.pool->size);
    for (u64 cooldown = 0; cooldown < 4; cooldown++) assert_int_equal(trim_calls(cooldown), 0);
    end();
  }
}

/* ---- runs of pages in blocks that are in use ---- */

static void test_runs_of_a_block_in_use(void **state) {
  (void)state;
  const unsigned sizes[] = {256, 320, 448, 1024, 2048, 3584};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    u64 size = s.pool->size;
    take_until(64);
    for (u64 j = 0; j < 64; j++) memset(pool_address(s.pool, j), (int)j + 1, size);
    put_range(1, 40); /* a long run */
    put_range(50, 51); /* and one that holds no whole page */
    uptr from = round_up((uptr)pool_address(s.pool, 1), 4096), to = round_down((uptr)pool_address(s.pool, 40), 4096);
    assert_int_equal(trim(0), to - from);
    assert_int_equal(trim_calls(0), 0); /* nothing has changed since */
    for (u64 j = 0; j < 64; j++) {
      const unsigned char *slot = pool_address(s.pool, j);
      for (u64 b = 0; b < size; b++) {
        bool gone = (uptr)slot + b >= from && (uptr)slot + b < to;
        if (slot[b] != (gone ? 0 : j + 1)) fail_msg("size %u, slot %u", sizes[i], (unsigned)j);
      }
    }
    /* A free makes it worth another look. */
    put_range(40, 41);
    assert_true(trim_calls(0) > 0);
    assert_int_equal(trim_calls(0), 0);
    end();
  }
}

static void test_runs_of_small_slots_stay(void **state) {
  (void)state;
  begin(class_of_size(224));
  take_until(64);
  put_range(1, 64);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* Runs go on over the end of a block. */
static void test_runs_across_blocks(void **state) {
  (void)state;
  begin(class_of_size(16)); /* four blocks a page */
  take_until(64 * 16);
  put_range(0, 64 * 3);
  assert_int_equal(trim(0), 0); /* the page's last block is in use */
  put_range(64 * 3, 64 * 4);
  assert_int_equal(trim(0), 4096);
  put_range(64 * 9, 64 * 16);
  assert_int_equal(trim(0), 4096);
  assert_int_equal(count_of(s.pool).bare, count_of(s.pool).free - 3 * 64);
  end();
}

static void test_slotwise(void **state) {
  (void)state;
  begin(class_of_size(4096));
  take_until(64 * 3);
  put_range(10, 20);
  put_range(64, 65);
  assert_int_equal(trim(0), 11 * 4096);
  assert_int_equal(copse_vm_counters.in_use, s.live * 4096);
  assert_int_equal(trim_calls(0), 0);
  put_range(30, 31);
  /* Warm before bare, though higher. */
  void *p;
  bool zero;
  assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
  assert_true(pool_slot(s.pool, p) == 30 && !zero);
  shadow_add(&s, p);
  assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
  assert_true(pool_slot(s.pool, p) == 10 && zero);
  shadow_add(&s, p);
  end();
}

/* Slots that are no multiple of a page: bare are those of which every byte went, and those alone are known to be zero. */
static void test_bare_is_bare_to_the_last_byte(void **state) {
  (void)state;
  const unsigned sizes[] = {5120, 7168, 10240, 28672};
  for (size_t page = 4096; page <= 65536; page *= 4)
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      begin_page(class_of_size(sizes[i]), page);
      u64 size = s.pool->size, runs[][2] = {{2, 6}, {8, 9}, {20, 47}, {60, 64 + 37}}, bare = 0;
      take_until(64 * 3);
      for (u64 j = 0; j < s.live; j++) memset(s.slot[j], 0xFF, size);
      for (unsigned r = 0; r < 4; r++) {
        uptr low = round_up((uptr)pool_address(s.pool, runs[r][0]), page);
        uptr high = round_down((uptr)pool_address(s.pool, runs[r][1]), page);
        put_range(runs[r][0], runs[r][1]);
        for (u64 j = runs[r][0]; j < runs[r][1]; j++)
          bare += (uptr)pool_address(s.pool, j) >= low && (uptr)pool_address(s.pool, j + 1) <= high;
      }
      struct pool_count before = count_of(s.pool);
      trim(0);
      assert_int_equal(count_of(s.pool).bare, before.bare + bare);
      /* All of them, warm ones first: each is zero if it is said to be. */
      for (u64 n = before.free - before.bare; n--;) {
        void *p;
        bool zero;
        assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
        for (u64 b = 0; zero && b < size; b++) assert_int_equal(((char *)p)[b], 0);
        bare -= zero;
        shadow_add(&s, p);
      }
      assert_int_equal(bare, 0);
      end();
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_untouched, clean_up),
    cmocka_unit_test_teardown(test_everything_goes, clean_up),
    cmocka_unit_test_teardown(test_empty_tail, clean_up),
    cmocka_unit_test_teardown(test_order_after_trim, clean_up),
    cmocka_unit_test_teardown(test_shared_pages_are_asked_for_once, clean_up),
    cmocka_unit_test_teardown(test_cooldown, clean_up),
    cmocka_unit_test_teardown(test_cooldown_starts_anew, clean_up),
    cmocka_unit_test_teardown(test_cooldown_changes, clean_up),
    cmocka_unit_test_teardown(test_cooldown_after_very_many, clean_up),
    cmocka_unit_test_teardown(test_cooldown_0_takes_the_young_too, clean_up),
    cmocka_unit_test_teardown(test_runs_of_a_block_in_use, clean_up),
    cmocka_unit_test_teardown(test_runs_of_small_slots_stay, clean_up),
    cmocka_unit_test_teardown(test_runs_across_blocks, clean_up),
    cmocka_unit_test_teardown(test_slotwise, clean_up),
    cmocka_unit_test_teardown(test_bare_is_bare_to_the_last_byte, clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
