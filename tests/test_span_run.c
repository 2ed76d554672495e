/* SPDX-License-Identifier: MIT */
/* Runs of bits against the obvious loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "span_run.h"
#include <string.h>

enum { BITS = 300 };

static u64 seed = 1;
static u64 random_below(u64 n) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (seed >> 33) % n;
}

static void edges(void **state) {
  (void)state;
  u64 bits[5] = {0};
  assert_int_equal(copse_run_next_set(bits, 0, BITS), BITS);
  assert_int_equal(copse_run_next_clear(bits, BITS, BITS), BITS);
  copse_run_set(bits, 0, 0);
  copse_run_set(bits, 64, 64);
  assert_int_equal(bits[0], 0);
  assert_int_equal(bits[1], ~(u64)0);
  assert_int_equal(bits[2], 0);
  assert_int_equal(copse_run_find(bits, 0, BITS, 64, 1, 0), 0);
  assert_int_equal(copse_run_find(bits, 0, BITS, 65, 1, 0), 128);
  assert_int_equal(copse_run_find(bits, 1, BITS, 64, 1, 0), 128);
  assert_int_equal(copse_run_find(bits, 0, BITS, 173, 1, 0), RUN_NONE);
  assert_int_equal(copse_run_find(bits, 0, BITS, UINT64_MAX - 5, 1, 0), RUN_NONE);
  assert_int_equal(copse_run_find(bits, 0, BITS, 1, (u64)1 << 40, 60), RUN_NONE);
  assert_int_equal(copse_run_find(bits, 0, BITS, 1, (u64)1 << 40, ((u64)1 << 40) - 200), 200);
}

static void against_the_obvious(void **state) {
  (void)state;
  u64 found = 0, none = 0;
  for (unsigned round = 0; round < 20000; round++) {
    u64 bits[5] = {0};
    bool naive[BITS] = {false};
    for (unsigned i = 0; i < 6; i++) {
      u64 first = random_below(BITS), count = random_below(min_u64(BITS - first, 90)) + 1;
      bool on = random_below(3);
      (on ? copse_run_set : copse_run_clear)(bits, first, count);
      memset(naive + first, on, count);
    }
    u64 from = random_below(BITS), end = from + random_below(BITS - from) + 1, need = random_below(20) + 1;
    u64 unit = (u64)1 << random_below(6), phase = random_below(100), want = RUN_NONE, count = 0;
    u64 set = end, clear = end;
    for (u64 i = end; i-- > from;) {
      count += naive[i];
      if (naive[i]) set = i;
      else clear = i;
      bool fits = (i + phase) % unit == 0 && i + need <= end;
      for (u64 j = i; fits && j < i + need; j++) fits = !naive[j];
      if (fits) want = i;
      assert_int_equal(run_bit(bits, i), naive[i]);
    }
    assert_int_equal(copse_run_next_set(bits, from, end), set);
    assert_int_equal(copse_run_next_clear(bits, from, end), clear);
    assert_int_equal(copse_run_count(bits, from, end - from), count);
    assert_int_equal(copse_run_find(bits, from, end, need, unit, phase), want);
    found += want != RUN_NONE;
    none += want == RUN_NONE;
  }
  assert_true(found > 1000 && none > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(edges), cmocka_unit_test(against_the_obvious)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
