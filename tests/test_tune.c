/* SPDX-License-Identifier: MIT */
/* Parameters: each below, in, at and beyond its range; the early ones; and COPSE_OPTIONS as it is read. */
#include "core.h"

static int reset(void **state) {
  (void)state;
  tunables_reset();
  return 0;
}

static u64 get(const char *name) {
  u64 value = 0xDEAD;
  assert_int_equal(copse_parameter_get(name, &value), 0);
  return value;
}

static void test_table(void **state) {
  (void)state;
  static const char *const names[] = {"depth_1k",   "depth_8k", "depth_64k", "depth_1m",   "recycler", "growth_min",
                                      "growth_max", "huge",     "cooldown",  "peak_trim", "span_cache", "limit",    "reserve",
                                      "arenas",
#ifdef COPSE_INSTRUMENTED
                                      "misuse", "quarantine", "stacks", "leaks", "tsan",
#endif
  };
  unsigned n = 0;
  for (const struct parameter *p = copse_parameters; p->name; p++, n++) {
    assert_true(n < sizeof names / sizeof *names);
    assert_string_equal(p->name, names[n]);
    assert_true(p->least <= p->initial && p->initial <= p->greatest);
    assert_int_equal(get(p->name), p->initial);
    assert_int_equal(p->early, strcmp(p->name, "reserve") == 0 || strcmp(p->name, "arenas") == 0 || strcmp(p->name, "tsan") == 0);
  }
  assert_int_equal(n, sizeof names / sizeof *names);
}

static void refuse(const struct parameter *p, u64 value) {
  u64 before = get(p->name);
  errno = 1234;
  assert_int_equal(copse_parameter_set(p->name, value), EINVAL);
  assert_int_equal(errno, 1234);
  assert_int_equal(get(p->name), before);
}

static void accept(const struct parameter *p, u64 value) {
  errno = 1234;
  assert_int_equal(copse_parameter_set(p->name, value), 0);
  assert_int_equal(errno, 1234);
  assert_int_equal(get(p->name), value);
  assert_int_equal(*p->value, value);
}

/* Each parameter: below, at, in, at, beyond.  The others never move. */
static void test_ranges(void **state) {
  (void)state;
  for (const struct parameter *p = copse_parameters; p->name; p++) {
    accept(p, p->least);
    if (p->least) {
      refuse(p, p->least - 1);
      refuse(p, 0);
    }
    accept(p, p->least + (p->greatest - p->least) / 2);
    accept(p, p->greatest);
    refuse(p, p->greatest + 1);
    refuse(p, UINT64_MAX);
    accept(p, p->initial);
    for (const struct parameter *other = copse_parameters; other->name; other++)
      assert_int_equal(get(other->name), other->initial);
    printf("# %s: %llu .. %llu, and %llu by default\n", p->name, (unsigned long long)p->least,
           (unsigned long long)p->greatest, (unsigned long long)p->initial);
  }
}

static void test_unknown(void **state) {
  (void)state;
  static const char *const names[] = {"", "depth", "depth_1", "depth_1kk", "depth_1k ", " depth_1k", "DEPTH_1K", "limi", "limits", "x"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    u64 value = 77;
    errno = 1234;
    assert_int_equal(copse_parameter_get(names[i], &value), ENOENT);
    assert_int_equal(value, 77);
    assert_int_equal(copse_parameter_set(names[i], 16), ENOENT);
    assert_int_equal(errno, 1234);
  }
  for (const struct parameter *p = copse_parameters; p->name; p++) assert_int_equal(get(p->name), p->initial);
}

static int frozen(void *argument) {
  (void)argument;
  copse_parameters_freeze();
  for (const struct parameter *p = copse_parameters; p->name; p++) {
    u64 value, before = *p->value;
    require(copse_parameter_set(p->name, p->least) == (p->early ? EBUSY : 0));
    require(*p->value == (p->early ? before : p->least));
    require(copse_parameter_set(p->name, p->greatest + 1) == EINVAL);
    require(copse_parameter_get(p->name, &value) == 0 && value == *p->value);
  }
  u64 reserve = copse_tunables.reserve;
  copse_options_read("reserve=128M,recycler=7");
  require(copse_tunables.reserve == reserve && copse_tunables.recycler == 7);
  return 0;
}

static void test_early_ones_are_busy_later(void **state) {
  (void)state;
  char said[400];
  assert_int_equal(in_child_saying(frozen, NULL, said, sizeof said), 0);
  assert_int_equal(strncmp(said, "copse: COPSE_OPTIONS: ", 22), 0);
  assert_non_null(strstr(said, "reserve=128M"));
  assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

/* ---- COPSE_OPTIONS ---- */

static int read_silently(void *argument) {
  copse_options_read(argument);
  return 0;
}

static void test_what_is_understood(void **state) {
  (void)state;
  static const struct {
    const char *text, *name;
    u64 value;
  } good[] = {
    {"depth_1k=16", "depth_1k", 16},
    {"span_cache=0", "span_cache", 0},
    {"span_cache=1K", "span_cache", 1024},
    {"span_cache=3M", "span_cache", (u64)3 << 20},
    {"span_cache=5G", "span_cache", (u64)5 << 30},
    {"span_cache=1T", "span_cache", (u64)1 << 40},
    {"span_cache=0T", "span_cache", 0},
    {"recycler=0007", "recycler", 7},
    {"recycler=1,recycler=2", "recycler", 2},
    {"depth_8k=8,,limit=64M,", "limit", (u64)64 << 20},
    {",depth_8k=8", "depth_8k", 8},
    {"limit=70368744177664", "limit", (u64)1 << 46},
    {"limit=64T", "limit", (u64)1 << 46},
  };
  char said[400];
  for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(in_child_saying(read_silently, (void *)(uptr)good[i].text, said, sizeof said), 0);
    assert_string_equal(said, "");
    errno = 1234;
    copse_options_read(good[i].text);
    assert_int_equal(errno, 1234);
    assert_int_equal(get(good[i].name), good[i].value);
    tunables_reset();
  }
  copse_options_read(NULL);
  copse_options_read("");
  copse_options_read(",,,");
  for (const struct parameter *p = copse_parameters; p->name; p++) assert_int_equal(get(p->name), p->initial);
}

/* The good ones around it must still count, and errno stay. */
static int read_badly(void *argument) {
  char text[2000];
  snprintf(text, sizeof text, "recycler=9,%s,cooldown=8", (char *)argument);
  errno = 1234;
  copse_options_read(text);
  require(errno == 1234);
  for (const struct parameter *p = copse_parameters; p->name; p++)
    require(*p->value == (p->value == &copse_tunables.recycler ? 9 : p->value == &copse_tunables.cooldown ? 8 : p->initial));
  return 0;
}

static void test_what_is_not(void **state) {
  (void)state;
  static const struct {
    const char *text, *said;
  } bad[] = {
    {"dept=4", "no such parameter: dept=4"},
    {"depth_1kk=4", "no such parameter: depth_1kk=4"},
    {"depth_1=4", "no such parameter: depth_1=4"},
    {"=4", "no such parameter: =4"},
    {"=", "no such parameter: ="},
    {"verbose", "no such parameter: verbose"},
    {" depth_1k=4", "no such parameter:  depth_1k=4"},
    {"depth_1k", "not a number: depth_1k"},
    {"depth_1k=", "not a number: depth_1k="},
    {"depth_1k=x", "not a number: depth_1k=x"},
    {"depth_1k=16x", "not a number: depth_1k=16x"},
    {"depth_1k=16 ", "not a number: depth_1k=16 "},
    {"depth_1k= 16", "not a number: depth_1k= 16"},
    {"depth_1k=-16", "not a number: depth_1k=-16"},
    {"depth_1k=+16", "not a number: depth_1k=+16"},
    {"depth_1k=0x10", "not a number: depth_1k=0x10"},
    {"depth_1k=1=6", "not a number: depth_1k=1=6"},
    {"span_cache=K", "not a number: span_cache=K"},
    {"span_cache=1k", "not a number: span_cache=1k"},
    {"span_cache=1KK", "not a number: span_cache=1KK"},
    {"span_cache=1MB", "not a number: span_cache=1MB"},
    {"limit=18446744073709551616", "not a number: limit=18446744073709551616"},
    {"limit=99999999999999999999999999", "not a number: limit=99999999999999999999999999"},
    {"limit=16777216T", "not a number: limit=16777216T"},
    {"limit=18446744073709551615", "out of range: limit=18446744073709551615"},
    {"limit=65T", "out of range: limit=65T"},
    {"depth_1k=3", "out of range: depth_1k=3"},
    {"depth_1k=121", "out of range: depth_1k=121"},
    {"depth_1k=0", "out of range: depth_1k=0"},
    {"huge=3", "out of range: huge=3"},
  };
  char said[400], expected[200];
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(in_child_saying(read_badly, (void *)(uptr)bad[i].text, said, sizeof said), 0);
    snprintf(expected, sizeof expected, "copse: COPSE_OPTIONS: %s\n", bad[i].said);
    assert_string_equal(said, expected);
  }
}

static void test_a_line_each(void **state) {
  (void)state;
  char said[2000];
  assert_int_equal(in_child_saying(read_badly, (void *)(uptr)"a=1,b=2,huge=9,c", said, sizeof said), 0);
  unsigned lines = 0;
  for (const char *at = said; (at = strchr(at, '\n')); at++) lines++;
  assert_int_equal(lines, 4);
  /* A very long one is cut, and is one line. */
  char text[1000];
  memset(text, 'y', sizeof text);
  text[sizeof text - 1] = 0;
  assert_int_equal(in_child_saying(read_badly, text, said, sizeof said), 0);
  assert_true(strlen(said) < 160);
  assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static int read_without_stderr(void *argument) {
  close(STDERR_FILENO);
  return read_badly(argument);
}

static void test_nowhere_to_say_it(void **state) {
  (void)state;
  assert_int_equal(in_child(read_without_stderr, (void *)(uptr)"nonsense=1"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_table, reset),
    cmocka_unit_test_setup(test_ranges, reset),
    cmocka_unit_test_setup(test_unknown, reset),
    cmocka_unit_test_setup(test_early_ones_are_busy_later, reset),
    cmocka_unit_test_setup(test_what_is_understood, reset),
    cmocka_unit_test_setup(test_what_is_not, reset),
    cmocka_unit_test_setup(test_a_line_each, reset),
    cmocka_unit_test_setup(test_nowhere_to_say_it, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
