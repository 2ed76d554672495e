/* SPDX-License-Identifier: MIT */
/* Giving a pool's pages back: what goes, what stays, when, what is refused, and who allocates meanwhile. */
#include "pool_help.h"

#define MB ((u64)1 << 20)
#define RESERVE ((u64)1 << 37)

/* ---- every call is watched: outside the lock, and on pages that nobody uses ---- */

enum { GIVE_BACK = 4, GIVE_BACK_LOCKED = 24 }; /* MADV_DONTNEED, MADV_DONTNEED_LOCKED */
static struct shadow s;
static bool watching;
static u64 given_back, calls_on_live, calls_under_lock, longest, most_detached;
static void (*meanwhile)(void);

static void watch(const struct vm_record *call) {
  if (!watching || call->kind != VM_MADVISE || (call->advice != GIVE_BACK && call->advice != GIVE_BACK_LOCKED)) return;
  if (pthread_mutex_trylock(&s.pool->lock.mutex) == 0)
    pthread_mutex_unlock(&s.pool->lock.mutex);
  else
    calls_under_lock++;
  u64 first = (u64)((char *)call->address - s.pool->start) / s.pool->size;
  u64 last = (u64)((char *)call->address + call->length - 1 - s.pool->start) / s.pool->size;
  if ((char *)call->address < s.pool->start) first = 0;
  for (u64 slot = first; slot <= last && slot < s.known; slot++) calls_on_live += s.is_live[slot];
  longest = max_u64(longest, call->length);
  most_detached = max_u64(most_detached, s.pool->detached);
  if (meanwhile) meanwhile();
}

static void begin_page(unsigned class, size_t page) {
  assert_true(core_up_page(RESERVE, page));
  vm_faults_install();
  vm_faults.hook = watch;
  shadow_make(&s, class);
  watching = true;
  meanwhile = NULL;
  calls_on_live = calls_under_lock = longest = most_detached = 0;
}

static void begin(unsigned class) { begin_page(class, 0); }

static void end(void) {
  watching = false;
  assert_true(shadow_whole(&s));
  assert_int_equal(calls_on_live, 0);
  assert_int_equal(calls_under_lock, 0);
  vm_faults_remove();
  shadow_free(&s);
  core_down();
}

/* Behind a test that failed half-way. */
static int clean_up(void **state) {
  (void)state;
  watching = false;
  vm_faults_remove();
  core_down();
  return 0;
}

static u64 trim(u64 cooldown) {
  u64 before = copse_vm_counters.decommitted, bytes = copse_pool_trim(s.pool, cooldown);
  assert_int_equal(bytes, copse_vm_counters.decommitted - before);
  assert_int_equal(s.pool->detached, 0);
  assert_true(shadow_whole(&s));
  given_back += bytes;
  return bytes;
}

static void take_until(u64 live) {
  while (s.live < live) require(shadow_take(&s, (unsigned)min_u64(64, live - s.live)) == POOL_TAKEN);
}

static u64 trim_calls(u64 cooldown) {
  u64 before = vm_faults.calls[VM_ANY];
  trim(cooldown);
  return vm_faults.calls[VM_ANY] - before;
}

/* Puts the slots [from, to). */
static void put_range(u64 from, u64 to) {
  for (u64 i = 0; i < s.live;) {
    u64 slot = pool_slot(s.pool, s.slot[i]);
    if (slot < from || slot >= to) {
      i++;
      continue;
    }
    void *p = shadow_remove(&s, i);
    copse_pool_put(s.pool, 1, &p);
  }
}

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
    /* Once is enough; but for the block at the end, a part of which may be asked for again. */
    u64 again = trim(0), unit = s.pool->size * (s.pool->slotwise ? 1 : 64);
    assert_true(again < unit);
    if (unit % 4096 == 0) assert_int_equal(again, 0);
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

/* ---- cooldown ---- */

static void test_cooldown(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 1024, 4096};
  for (unsigned i = 0; i < 3; i++)
    for (u64 cooldown = 1; cooldown <= 4; cooldown++)
      for (u64 phase = 0; phase < cooldown; phase++) {
        begin(class_of_size(sizes[i]));
        take_until(128);
        for (u64 t = 0; t < phase; t++) assert_int_equal(trim(cooldown), 0);
        put_range(0, 64);
        /* It keeps its pages through `cooldown` trims, and goes before twice as many have passed. */
        u64 n = 1;
        for (; trim(cooldown) == 0; n++) assert_true(n < 10);
        assert_true(n > cooldown && n <= 2 * cooldown);
        assert_int_equal(count_of(s.pool).bare % 64, count_of(s.pool).free % 64);
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

/* ---- refused ---- */

static void test_refused(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 64, 1024, 2048, 4096, 7168, 1048576};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    u64 n = max_u64(2 * 64, 1 + 300000 / s.pool->size);
    if (sizes[i] > 65536) n = 6;
    take_until(n);
    for (u64 j = 0; j < s.live; j++) *(u64 *)s.slot[j] = (uptr)s.slot[j];
    u64 in_use = copse_vm_counters.in_use;
    put_range(1, n);
    vm_faults_fail_from(VM_MADVISE, 1);
    struct pool_count before = count_of(s.pool);
    for (unsigned t = 0; t < 3; t++) {
      assert_int_equal(trim(0), 0);
      struct pool_count c = count_of(s.pool);
      assert_true(c.free == before.free && c.bare == before.bare);
      assert_int_equal(copse_vm_counters.in_use, in_use);
    }
    /* What has not gone is not taken for zero. */
    if (s.pool->slotwise) {
      void *p;
      bool zero;
      assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
      assert_false(zero);
      assert_int_equal(*(u64 *)p, (uptr)p);
      copse_pool_put(s.pool, 1, &p);
    }
    /* And it is not given up for ever. */
    vm_faults_fail_none();
    assert_true(trim(0) > 0);
    assert_int_equal(*(u64 *)s.slot[0], (uptr)s.slot[0]);
    end();
  }
}

/* The same for runs of a block in use: that nothing was freed there since is no reason not to ask again. */
static void test_refused_runs(void **state) {
  (void)state;
  begin(class_of_size(1024));
  take_until(128);
  put_range(1, 30);
  put_range(64, 90);
  vm_faults_fail_from(VM_MADVISE, 1);
  for (unsigned t = 0; t < 3; t++) assert_int_equal(trim(0), 0);
  vm_faults_fail_none();
  assert_int_equal(trim(0), (24 + 24) * 1024);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* One run of many is refused: that one stays, the others go. */
static void test_one_refused(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 4096};
  for (unsigned i = 0; i < 2; i++)
    for (unsigned k = 1; k <= 3; k++) {
      begin(class_of_size(sizes[i]));
      u64 unit = s.pool->slotwise ? 1 : 64;
      take_until(64 * 10);
      for (unsigned j = 1; j < 6; j += 2) put_range(j * unit, (j + 1) * unit);
      vm_faults_fail(VM_MADVISE, k);
      /* Asking again for locked memory is a second call, which is not refused here. */
      u64 bytes = trim(0);
      vm_faults_fail_none();
      bytes += trim(0);
      assert_int_equal(bytes, 3 * 4096);
      end();
    }
}

/* ---- meanwhile ---- */

static u64 taken_meanwhile;

/* Another thread, as it were: between detaching and returning it takes all it can get without growing. */
static void take_meanwhile(void) {
  if (taken_meanwhile >= 3 * 64) return;
  require(s.pool->detached > 0);
  struct pool_count c = count_of(s.pool);
  require(c.detached > 0 && shadow_whole(&s));
  /* Nothing that is detached comes out: the shadow knows the rest, and `watch` looks at every call. */
  taken_meanwhile += 64;
  require(shadow_take(&s, 64) == POOL_TAKEN);
  require(shadow_whole(&s));
}

static void test_allocating_meanwhile(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 320, 1024, 4096, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    take_until(64 * 20);
    for (unsigned j = 1; j < 20; j += 2) put_range(64 * j, 64 * (j + 1));
    put_range(64 * 4 + 5, 64 * 4 + 40);
    u64 frontier = s.pool->frontier;
    taken_meanwhile = 0;
    meanwhile = take_meanwhile;
    assert_true(trim(0) > 0);
    meanwhile = NULL;
    assert_true(taken_meanwhile > 0 && s.pool->frontier >= frontier);
    /* All that was detached is there again. */
    struct pool_count c = count_of(s.pool);
    take_until(s.live + c.free);
    assert_int_equal(count_of(s.pool).free, 0);
    end();
  }
}

/* All that there is detached, and the system or the limit at its end: a step of the least size, or a refusal; no loss. */
static void refuse_meanwhile(void) {
  if (taken_meanwhile++) return;
  void *out[64];
  unsigned taken;
  copse_tunables.limit = copse_vm_counters.in_use;
  require(copse_pool_take(s.pool, 64, out, &taken) == POOL_REFUSED);
  copse_tunables.limit = 0;
  require(shadow_take(&s, 1) == POOL_TAKEN);
}

static void test_refused_meanwhile(void **state) {
  (void)state;
  begin(class_of_size(1024));
  take_until(64 * 4);
  put_range(0, 64 * 4);
  taken_meanwhile = 0;
  meanwhile = refuse_meanwhile;
  assert_true(trim(0) > 0);
  assert_int_equal(s.live, 1);
  end();
}

/* Frees arrive in blocks of which a part is detached. */
static void put_meanwhile(void) {
  static u64 random = 99;
  if (!s.live || taken_meanwhile++ > 50) return;
  shadow_put(&s, 3, &random);
  require(shadow_whole(&s));
}

static void test_freeing_meanwhile(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 256, 1024, 4096, 7168};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    u64 random = i + 1;
    begin(class_of_size(sizes[i]));
    take_until(64 * 20);
    for (unsigned j = 1; j < 20; j += 3) put_range(64 * j, 64 * j + 40);
    for (unsigned round = 0; round < 20; round++) {
      taken_meanwhile = 0;
      meanwhile = put_meanwhile;
      trim(0);
      meanwhile = NULL;
      shadow_put(&s, 20, &random);
    }
    shadow_put_all(&s);
    trim(0);
    end();
  }
}

/* ---- anything, in any order ---- */

/* Each live slot is filled with a byte of its own; what is said to be zero is. */
static unsigned char mark(const void *p) { return (unsigned char)(1 + (uptr)p / 16 % 255); }

static bool filled(const unsigned char *p, u64 size, unsigned char with) {
  return p[0] == with && memcmp(p, p + 1, size - 1) == 0;
}

static void at_random(unsigned class, size_t page, unsigned rounds) {
  begin_page(class, page);
  u64 random = class * 1000 + page, most = min_u64(64 * 30, max_u64(20, 2 * MB / s.pool->size));
  copse_tunables.growth_min = 4096;
  for (unsigned round = 0; round < rounds; round++) {
    u64 what = random_below(&random, 100);
    if (what < 30 && s.live < most) {
      u64 live = s.live;
      assert_int_equal(shadow_take(&s, 1 + (unsigned)random_below(&random, 64)), POOL_TAKEN);
      for (; live < s.live; live++) memset(s.slot[live], mark(s.slot[live]), s.pool->size);
    } else if (what < 50 && s.live < most) {
      void *p;
      bool zero;
      assert_int_equal(copse_pool_take_one(s.pool, &p, &zero), POOL_TAKEN);
      if (zero && !filled(p, s.pool->size, 0)) fail_msg("class %u, page %zu: said to be zero", class, page);
      memset(p, mark(p), s.pool->size);
      shadow_add(&s, p);
    } else if (what < 90) {
      if (random_below(&random, 4) == 0 && s.live) {
        u64 from = pool_slot(s.pool, s.slot[random_below(&random, s.live)]);
        put_range(from, from + 1 + random_below(&random, 200));
      } else {
        shadow_put(&s, 1 + (unsigned)random_below(&random, 50), &random);
      }
    } else {
      if (random_below(&random, 5) == 0) vm_faults_fail(VM_MADVISE, 1 + random_below(&random, 3));
      trim(random_below(&random, 3));
      vm_faults_fail_none();
    }
    if (round % 32 == 0)
      for (u64 i = 0; i < s.live; i++)
        if (!filled(s.slot[i], s.pool->size, mark(s.slot[i]))) fail_msg("class %u, page %zu: contents lost", class, page);
  }
  for (u64 i = 0; i < s.live; i++) assert_true(filled(s.slot[i], s.pool->size, mark(s.slot[i])));
  shadow_put_all(&s);
  end();
}

static void test_at_random(void **state) {
  (void)state;
  const unsigned sizes[] = {16, 48, 112, 256, 640, 1792, 4096, 7168, 16384, 81920, 1048576};
  for (size_t page = 4096; page <= 65536; page *= 4)
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
      at_random(class_of_size(sizes[i]), page, SLOW_BUILD ? 50 : 400);
}

/* ---- bounds ---- */

static void test_many_blocks_go_in_batches(void **state) {
  (void)state;
  begin(class_of_size(16));
  u64 all = 64 * 20000; /* more than a tree */
  take_until(all);
  for (u64 i = 0; i < s.live; i++) *(char *)s.slot[i] = 1;
  void **back = s.slot;
  for (u64 i = 0; i < s.live; i += 60000) copse_pool_put(s.pool, (unsigned)min_u64(60000, s.live - i), back + i);
  s.live = 0;
  memset(s.is_live, 0, s.known);
  u64 bytes = trim(0);
  assert_true(bytes + 4096 >= all * 16);
  /* A lock hold looks at so many blocks, and so the others may allocate in between. */
  assert_true(most_detached <= (TRIM_BLOCKS + 64) * 64);
  assert_int_equal(trim_calls(0), 0);
  end();
}

/* A lock hold detaches 2 MB, or a block where that is more, or blocks up to where one ends on a page of 64 KB. */
static void test_batches_are_bounded_in_bytes(void **state) {
  (void)state;
  const unsigned sizes[] = {640, 1024, 4096, 7168, 16384, 131072};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    begin(class_of_size(sizes[i]));
    u64 size = s.pool->size, blocks = 1;
    while (blocks * 64 * size % 65536) blocks++;
    take_until(3 * blocks * 64 + 8 * MB / size);
    shadow_put_all(&s);
    assert_true(trim(0) > 8 * MB);
    assert_true(most_detached > 0 && most_detached * size < 2 * MB + blocks * 64 * size);
    end();
  }
}

static void *trimmer(void *argument) {
  u64 bytes = 0;
  const unsigned rounds = SLOW_BUILD ? 200 : 1000;
  for (unsigned i = 0; i < rounds || (!bytes && i < 1000 * rounds); i++) bytes += copse_pool_trim(argument, i % 3);
  return (void *)bytes;
}

struct job {
  struct pool *pool;
  u64 seed, held;
  u32 *stop;
};

static void *mutator(void *argument) {
  struct job *job = argument;
  void *held[640];
  u64 random = job->seed;
  while (!__atomic_load_n(job->stop, __ATOMIC_RELAXED)) {
    unsigned taken;
    if (job->held < 576 && random_below(&random, 2)) {
      require(copse_pool_take(job->pool, 1 + (unsigned)random_below(&random, 64), held + job->held, &taken) == POOL_TAKEN);
      for (unsigned i = 0; i < taken; i++) memset(held[job->held + i], (int)job->seed, job->pool->size);
      job->held += taken;
    } else if (job->held) {
      u64 some = 1 + random_below(&random, job->held);
      for (u64 i = job->held - some; i < job->held; i++) require(filled(held[i], job->pool->size, (unsigned char)job->seed));
      job->held -= some;
      copse_pool_put(job->pool, (unsigned)some, held + job->held);
    }
  }
  return NULL;
}

/* Two trims at once, two threads that allocate and free: nobody's contents are thrown away. */
static void test_trims_against_threads(void **state) {
  (void)state;
  const unsigned sizes[] = {64, 512, 4096};
  core_up(RESERVE);
  for (unsigned i = 0; i < 3; i++) {
    struct pool *p = &copse_pools[class_of_size(sizes[i])];
    pthread_t trims[2], threads[2];
    u32 stop = 0;
    struct job job[2];
    for (unsigned t = 0; t < 2; t++) {
      job[t] = (struct job){p, t + 1, 0, &stop};
      assert_int_equal(pthread_create(&threads[t], NULL, mutator, &job[t]), 0);
      assert_int_equal(pthread_create(&trims[t], NULL, trimmer, p), 0);
    }
    u64 bytes = 0;
    for (unsigned t = 0; t < 2; t++) {
      void *given;
      pthread_join(trims[t], &given);
      bytes += (u64)given;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (unsigned t = 0; t < 2; t++) pthread_join(threads[t], NULL);
    assert_true(bytes > 0);
    assert_int_equal(p->detached, 0);
    assert_true(pool_balanced(p, job[0].held + job[1].held, 0));
  }
  core_down();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_untouched, clean_up),
    cmocka_unit_test_teardown(test_everything_goes, clean_up),
    cmocka_unit_test_teardown(test_empty_tail, clean_up),
    cmocka_unit_test_teardown(test_order_after_trim, clean_up),
    cmocka_unit_test_teardown(test_cooldown, clean_up),
    cmocka_unit_test_teardown(test_cooldown_starts_anew, clean_up),
    cmocka_unit_test_teardown(test_cooldown_0_takes_the_young_too, clean_up),
    cmocka_unit_test_teardown(test_runs_of_a_block_in_use, clean_up),
    cmocka_unit_test_teardown(test_runs_of_small_slots_stay, clean_up),
    cmocka_unit_test_teardown(test_runs_across_blocks, clean_up),
    cmocka_unit_test_teardown(test_slotwise, clean_up),
    cmocka_unit_test_teardown(test_bare_is_bare_to_the_last_byte, clean_up),
    cmocka_unit_test_teardown(test_refused, clean_up),
    cmocka_unit_test_teardown(test_refused_runs, clean_up),
    cmocka_unit_test_teardown(test_one_refused, clean_up),
    cmocka_unit_test_teardown(test_allocating_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_refused_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_freeing_meanwhile, clean_up),
    cmocka_unit_test_teardown(test_at_random, clean_up),
    cmocka_unit_test_teardown(test_many_blocks_go_in_batches, clean_up),
    cmocka_unit_test_teardown(test_batches_are_bounded_in_bytes, clean_up),
    cmocka_unit_test_teardown(test_trims_against_threads, clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
