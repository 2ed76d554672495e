/* SPDX-License-Identifier: MIT */
/* Giving back what takes several steps: a block in parts, of which one is refused. */
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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(test_refused_part, clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
