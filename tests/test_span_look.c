/* SPDX-License-Identifier: MIT */
/* What a walk sees of the spans: all of them, in order, some at a time, while they come and go. */
#include "span_help.h"
#include "copse.h"

static struct copse_block seen[8];

static int setup(void **state) {
  (void)state;
  if (!span_begin((u64)1 << 36)) return -1;
  copse_tunables = (struct tunables){.huge = 1, .span_cache = 64 * MB};
  return 0;
}

static bool is(const struct copse_block *b, const void *address, u64 length, bool free) {
  return b->address == address && b->size == length && b->free == free && b->slots == 1 && b->size_class == COPSE_CLASSES;
}

/* What the next hold of the lock that meets any finds; 0: there is no more. */
static size_t next(u64 *at, size_t room) {
  size_t n;
  bool more;
  do {
    more = copse_span_look(at, seen, room, &n);
  } while (more && !n);
  return n;
}

static void live_and_cached(void **state) {
  (void)state;
  char *a = copse_span_alloc(2 * MB, 1, false), *b = copse_span_alloc(4 * MB, 1, false), *c = copse_span_alloc(3 * MB, 1, false);
  assert_true(a && b == a + 2 * MB && c == b + 4 * MB);
  assert_true(copse_span_free(b));
  u64 at = 0;
  assert_int_equal(next(&at, 8), 3);
  assert_true(is(&seen[0], a, 2 * MB, false) && is(&seen[1], b, 4 * MB, true) && is(&seen[2], c, 3 * MB, false));
  assert_int_equal(next(&at, 8), 0);
  /* One at a time, and it goes on where it was. */
  at = 0;
  assert_true(next(&at, 1) == 1 && is(&seen[0], a, 2 * MB, false));
  assert_true(next(&at, 1) == 1 && is(&seen[0], b, 4 * MB, true));
  assert_true(next(&at, 1) == 1 && is(&seen[0], c, 3 * MB, false));
  assert_int_equal(next(&at, 1), 0);
  assert_true(copse_span_free(a) && copse_span_free(c) && span_idle());
}

/* It went on in the middle of a span that was not there before. */
static void a_span_in_place_of_three(void **state) {
  (void)state;
  copse_tunables.span_cache = 0;
  char *p[4];
  for (unsigned i = 0; i < 4; i++) assert_non_null(p[i] = copse_span_alloc(2 * MB, 1, false));
  assert_true(p[3] == p[0] + 6 * MB);
  u64 at = 0;
  assert_true(next(&at, 1) == 1 && is(&seen[0], p[0], 2 * MB, false));
  for (unsigned i = 0; i < 3; i++) assert_true(copse_span_free(p[i]));
  assert_ptr_equal(copse_span_alloc(6 * MB, 1, false), p[0]);
  assert_true(next(&at, 8) == 1 && is(&seen[0], p[3], 2 * MB, false));
  /* And where it is gone altogether. */
  at = 0;
  assert_true(next(&at, 1) == 1 && is(&seen[0], p[0], 6 * MB, false));
  assert_true(copse_span_free(p[0]) && copse_span_free(p[3]));
  assert_int_equal(next(&at, 8), 0);
  copse_tunables.span_cache = 64 * MB;
  assert_true(span_idle());
}

/* ---- on their way ---- */

static unsigned looks;
static size_t found;

static void look_meanwhile(const struct vm_record *call) {
  (void)call;
  u64 at = 0;
  looks++;
  found = next(&at, 8);
}

static void a_span_on_its_way_is_passed_over(void **state) {
  (void)state;
  char *a = copse_span_alloc(2 * MB, 1, false), *b = copse_span_alloc(6 * MB, 1, false), *c = copse_span_alloc(2 * MB, 1, false);
  assert_true(a && b == a + 2 * MB && c == b + 6 * MB && copse_span_free(b));
  copse_span_shrink();
  looks = 0;
  vm_faults.hook = look_meanwhile;
  char *again = copse_span_alloc(6 * MB, 1, false);
  vm_faults.hook = NULL;
  assert_ptr_equal(again, b);
  assert_true(looks > 0);
  /* The last look was before it was had. */
  assert_true(found == 2 && is(&seen[0], a, 2 * MB, false) && is(&seen[1], c, 2 * MB, false));
  u64 at = 0;
  assert_true(next(&at, 8) == 3 && is(&seen[1], b, 6 * MB, false));
  assert_true(copse_span_free(a) && copse_span_free(b) && copse_span_free(c) && span_idle());
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(live_and_cached),
    cmocka_unit_test(a_span_in_place_of_three),
    cmocka_unit_test(a_span_on_its_way_is_passed_over),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
