/* SPDX-License-Identifier: MIT */
/* Every parameter through copse_tune_set: below, at, in and beyond its range; and the allocator at work at each of them. */
#include "balance.h"
#include "random.h"
#include <errno.h>
#include <string.h>

/* The documented ranges.  Written out, for the library's table is what is tested. */
static const struct {
  const char *name;
  uint64_t initial, least, greatest;
} documented[] = {
  {"depth_1k", 112, 4, 120},
  {"depth_8k", 56, 2, 120},
  {"depth_64k", 28, 1, 120},
  {"depth_1m", 2, 1, 120},
  {"recycler", 16, 0, 1000},
  {"growth_min", 65536, 4096, 1 << 30},
  {"growth_max", 16777216, 4096, 1 << 30},
  {"huge", 2, 0, 2},
  {"cooldown", 0, 0, 1000},
  {"peak_trim", 0, 0, 1000},
  {"span_cache", 33554432, 0, (uint64_t)1 << 40},
  {"limit", 0, 0, (uint64_t)1 << 46},
  {"reserve", (uint64_t)1 << 45, 1 << 27, (uint64_t)1 << 45},
#ifdef COPSE_INSTRUMENTED
  {"arenas", 1, 1, 1},
#else
  {"arenas", UNDER_TSAN ? 1 : 8, 1, 8},
#endif
};
enum { PARAMETERS = sizeof documented / sizeof *documented };

static uint64_t value_of(const char *name) {
  uint64_t value = 1;
  CHECK(copse_tune_get(name, &value) == 0);
  return value;
}

static unsigned tried;
static void try(const char *name, uint64_t value, int result) {
  uint64_t before = value_of(name);
  errno = 4242;
  CHECK(copse_tune_set(name, value) == result);
  CHECK(errno == 4242);
  CHECK(value_of(name) == (result == 0 ? value : before));
  tried++;
}

FRESH(every_parameter_in_and_out_of_its_range) {
  for (unsigned i = 0; i < PARAMETERS; i++) {
    const char *name = documented[i].name;
    uint64_t least = documented[i].least, greatest = documented[i].greatest;
    CHECK(value_of(name) == documented[i].initial);
    try(name, least, 0);
    if (least) {
      try(name, least - 1, EINVAL);
      try(name, 0, EINVAL);
    }
    try(name, least + (greatest - least) / 2, 0);
    try(name, greatest, 0);
    try(name, greatest + 1, EINVAL);
    try(name, (uint64_t)1 << 63, EINVAL);
    try(name, UINT64_MAX, EINVAL);
    try(name, documented[i].initial, 0);
  }
  uint64_t value = 99;
  static const char *const unknown[] = {"", "depth", "depth_1k ", "Depth_1k", "nothing", "limits"};
  for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++)
    CHECK(copse_tune_set(unknown[i], 10) == ENOENT && copse_tune_get(unknown[i], &value) == ENOENT && value == 99);
  figure("values tried", "%u, of %d parameters", tried, PARAMETERS);
}

static bool is_early(const char *name) { return strcmp(name, "reserve") == 0 || strcmp(name, "arenas") == 0; }

/* "EBUSY when it can only be set before the first allocation." */
FRESH(after_the_first_allocation_one_is_busy) {
  copse_free(copse_alloc(1), 1);
  for (unsigned i = 0; i < PARAMETERS; i++) {
    bool early = is_early(documented[i].name);
    try(documented[i].name, documented[i].least, early ? EBUSY : 0);
    try(documented[i].name, documented[i].greatest, early ? EBUSY : 0);
    try(documented[i].name, documented[i].greatest + 1, EINVAL);
    try(documented[i].name, documented[i].initial, early ? EBUSY : 0);
  }
}

/* ---- at work ---- */

static void work(uint64_t seed) {
  enum { N = 2000 };
  static void *p[N];
  static size_t size[N];
  for (unsigned i = 0; i < LESS(20000); i++) {
    unsigned at = (unsigned)random_below(&seed, N);
    if (p[at]) {
      CHECK(*(unsigned char *)p[at] == (unsigned char)at && ((unsigned char *)p[at])[size[at] - 1] == (unsigned char)at);
      copse_free(p[at], size[at]);
      p[at] = NULL;
      continue;
    }
    size[at] = 1 + random_below(&seed, (size_t)64 << random_below(&seed, i % 50 ? 9 : 16));
    p[at] = copse_alloc(size[at]);
    if (!p[at]) {
      CHECK(errno == ENOMEM && value_of("limit"));
      continue;
    }
    ((unsigned char *)p[at])[0] = ((unsigned char *)p[at])[size[at] - 1] = (unsigned char)at;
    if (i % 4000 == 0) copse_trim();
  }
  for (unsigned i = 0; i < N; i++)
    if (p[i]) copse_free(p[i], size[i]);
  memset(p, 0, sizeof p);
  balance_empty();
}

static const char *worked_name;
static uint64_t worked_value;
static void at_work(void) {
  CHECK(copse_tune_set(worked_name, worked_value) == 0);
  work(worked_value + 1);
  /* A change while bundles are out. */
  for (unsigned i = 0; i < PARAMETERS; i++)
    if (strcmp(documented[i].name, worked_name) == 0 && !is_early(worked_name)) {
      CHECK(copse_tune_set(worked_name, documented[i].initial) == 0);
      work(1);
      CHECK(copse_tune_set(worked_name, worked_value) == 0);
    }
  work(2);
}

static void it_works_at_every_end_of_every_range(void **state) {
  (void)state;
  for (unsigned i = 0; i < PARAMETERS; i++)
    for (int end = 0; end < 2; end++) {
      worked_name = documented[i].name;
      worked_value = end ? documented[i].greatest : documented[i].least;
      int status = process_status(at_work);
      if (status) fail_msg("%s=%llu", worked_name, (unsigned long long)worked_value);
    }
}

/* The bounds do what they say. */
FRESH(depth_recycler_and_limit_are_kept) {
  CHECK(copse_tune_set("depth_1k", 8) == 0 && copse_tune_set("recycler", 3) == 0);
  copse_tune_set("quarantine", 0); /* of the instrumented library */
  enum { N = 20000 };
  static void *p[N];
  CHECK(copse_alloc_batch(32, N, p) == N);
  copse_free_batch(32, N, p);
  struct copse_stats stats;
  copse_stats(&stats);
  uint64_t cached = stats.classes[class_of_request(32)].cached;
  CHECK(cached <= (2 + 3) * 8 && cached > 0);
  CHECK(copse_tune_set("limit", 8 << 20) == 0);
  uint64_t served = 0, most = 0;
  for (void *q; (q = copse_alloc(10000)); served++) {
    copse_stats(&stats);
    if (stats.in_use > most) most = stats.in_use;
    CHECK(served < 2000);
  }
  CHECK(errno == ENOMEM && most <= 8 << 20 && most > 7 << 20);
  figure("bytes in use under a limit of 8388608", "%llu at most", (unsigned long long)most);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_parameter_in_and_out_of_its_range),
    cmocka_unit_test(after_the_first_allocation_one_is_busy),
    cmocka_unit_test(it_works_at_every_end_of_every_range),
    cmocka_unit_test(depth_recycler_and_limit_are_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
