/* SPDX-License-Identifier: MIT */
/*
 * In release the allocator never reads or writes the memory of a slot, allocated or free: with all of it PROT_NONE, a million
 * live objects are freed in random order, sized and unsized, and as many allocated again.
 */
#include "balance.h"
#include "random.h"
#include <string.h>
#include <sys/mman.h>

/* Small ones, and what has other ways: slotwise classes, and spans, whose pages nobody touches here either. */
enum { SMALL = 1000000, LARGE = 20000, SPANS = 8, ALL = SMALL + LARGE + SPANS };
static void *object[ALL];
static uint32_t size_of[ALL];

static uint32_t draw(uint64_t *seed, unsigned i) {
  if (i < SMALL) return 1 + (uint32_t)random_below(seed, 256);
  if (i < SMALL + LARGE) return 300 + (uint32_t)random_below(seed, (uint64_t)512 << random_below(seed, 10));
  return (2 << 20) + 1 + (uint32_t)random_below(seed, 8 << 20);
}

/* All memory of all pools, up to what exists, and the spans. */
static uint64_t protect(int protection) {
  uint64_t bytes = 0;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    if (!p->frontier) continue;
    uptr from = round_down((uptr)p->start, page), to = round_up((uptr)pool_address(p, p->frontier), page);
    CHECK(mprotect((void *)from, to - from, protection) == 0);
    bytes += to - from;
  }
  for (unsigned i = SMALL + LARGE; i < ALL; i++)
    if (object[i] && region_of(object[i]) >= region_spans()) {
      size_t usable = copse_usable_size(object[i]);
      CHECK(mprotect(object[i], usable, protection) == 0);
      bytes += usable;
    }
  return bytes;
}

static void slots_are_never_touched_body(void) {
  uint64_t seed = 4;
  for (unsigned i = 0; i < ALL; i++) {
    size_of[i] = draw(&seed, i);
    CHECK((object[i] = copse_alloc(size_of[i])));
    if (i < SMALL) memset(object[i], 1, 1);
  }
  uint64_t bytes = protect(PROT_NONE);

  /* The order is random, and so the sizes go with the objects. */
  static uint32_t order[ALL];
  for (unsigned i = 0; i < ALL; i++) order[i] = i;
  for (unsigned i = ALL; i > 1; i--) {
    unsigned other = (unsigned)random_below(&seed, i);
    uint32_t kept = order[i - 1];
    order[i - 1] = order[other];
    order[other] = kept;
  }
  unsigned sized = 0;
  for (unsigned i = 0; i < ALL; i++) {
    unsigned o = order[i];
    if (o >= SMALL + LARGE) continue; /* spans last: the system's calls for them would give their pages access again */
    CHECK(copse_usable_size(object[o]) >= size_of[o]);
    if (i & 1) {
      copse_free(object[o], size_of[o]);
      sized++;
    } else {
      copse_free_unsized(object[o]);
    }
  }
  /* The same again, by both kinds of call. */
  for (unsigned i = 0; i < ALL; i++) {
    unsigned o = order[i];
    if (o >= SMALL + LARGE) continue;
    if (i % 5)
      object[o] = copse_alloc(size_of[o]);
    else
      CHECK(copse_alloc_batch(size_of[o], 1, &object[o]) == 1);
    CHECK(object[o]);
  }
  copse_checkpoint();
  for (unsigned i = SMALL + LARGE; i < ALL; i++) copse_free(object[i], size_of[i]);

  /* It was so to the end, but for what growth may have added: a page here and there. */
  struct live live = {{0}};
  for (unsigned i = 0; i < SMALL + LARGE; i++) live_add(&live, object[i]);
  uint64_t slots = balance(&live);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p))
    if (p->frontier) CHECK(mprotect(p->start, p->frontier * p->size, PROT_READ | PROT_WRITE) == 0);
  for (unsigned i = 0; i < SMALL + LARGE; i++) memset(object[i], 2, size_of[i]);
  for (unsigned i = 0; i < SMALL + LARGE; i++) copse_free(object[i], size_of[i]);
  balance_empty();
  figure("objects freed and allocated again without access", "%u, of them %u freed by size", SMALL + LARGE, sized);
  figure("bytes that were PROT_NONE", "%llu, in %llu slots", (unsigned long long)bytes, (unsigned long long)slots);
}

/* That PROT_NONE tells: a touch does end the process. */
static void touch_body(void) {
  for (unsigned i = 0; i < 100; i++) object[i] = copse_alloc(64);
  protect(PROT_NONE);
  *(volatile char *)object[50] = 1;
}

static void slots_are_never_touched(void **state) {
  (void)state;
  if (INSTRUMENTED)
    left_out("the instrumented library may touch slots");
  else
    fresh(slots_are_never_touched_body);
}

static void a_touch_would_be_seen(void **state) {
  (void)state;
  assert_int_not_equal(process_status(touch_body), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_touch_would_be_seen),
    cmocka_unit_test(slots_are_never_touched),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
