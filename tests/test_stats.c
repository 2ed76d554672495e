/* SPDX-License-Identifier: MIT */
/* The figures: counted as they are, and printed as JSON that parses, cut off as snprintf would. */
#include "core.h"
#include "copse.h"
#include "stats.h"
#include "beneath.h"

/* ---- a checker of JSON: where the value that starts at `at` ends; NULL: it is none ---- */

static const char *json_value(const char *at);
static const char *space(const char *at) { return at + strspn(at, " \t\n"); }

static const char *json_string(const char *at) {
  if (*at++ != '"') return NULL;
  for (; *at != '"'; at++)
    if ((unsigned char)*at < 32 || (*at == '\\' && !*++at)) return NULL;
  return at + 1;
}

/* { "name": value, ... } or [ value, ... ] */
static const char *json_list(const char *at, char close) {
  at = space(at + 1);
  if (*at == close) return at + 1;
  for (;;) {
    if (close == '}') {
      if (!(at = json_string(space(at)))) return NULL;
      at = space(at);
      if (*at++ != ':') return NULL;
    }
    if (!(at = json_value(at))) return NULL;
    at = space(at);
    if (*at == close) return at + 1;
    if (*at++ != ',') return NULL;
  }
}

static const char *json_value(const char *at) {
  at = space(at);
  if (*at == '{') return json_list(at, '}');
  if (*at == '[') return json_list(at, ']');
  if (*at == '"') return json_string(at);
  size_t digits = strspn(at, "0123456789");
  return digits && (digits == 1 || *at != '0') ? at + digits : NULL;
}

static bool json_valid(const char *text) {
  const char *end = json_value(text);
  return end && !*space(end);
}

static void test_checker(void **state) {
  (void)state;
  assert_true(json_valid("{\"a\": 1, \"b\": [{}, {\"c\": 0}], \"d\": \"e\\\"\"}"));
  static const char *const bad[] = {"", "{", "{\"a\": }", "{\"a\" 1}", "{\"a\": 1,}", "[1,]", "[1 2]", "{}}", "01", "{a: 1}", "[\"]"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(json_valid(bad[i]));
}

/* ---- printing ---- */

static struct copse_stats sample(void) {
  struct copse_stats s;
  u64 *word = (u64 *)&s;
  for (unsigned i = 0; i < sizeof s / sizeof *word; i++) word[i] = 1000000 + i;
  return s;
}

/* The number behind the n-th "name": in the text. */
static u64 number(const char *text, const char *name, unsigned n) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\": ", name);
  do {
    text = strstr(text, key);
    assert_non_null(text);
    text += strlen(key);
  } while (n--);
  return strtoull(text, NULL, 10);
}

static void test_every_field_is_printed(void **state) {
  (void)state;
  struct copse_stats s = sample();
  static char text[40000];
  size_t length = copse_stats_print(&s, text, sizeof text);
  assert_int_equal(length, strlen(text));
  assert_true(json_valid(text));
#define IS(name) assert_int_equal(number(text, #name, 0), s.name)
  IS(page_size);
  IS(reserved);
  IS(committed);
  IS(in_use);
  IS(metadata);
  IS(spans);
  IS(span_bytes);
  IS(span_cached);
  IS(threads);
  IS(generation);
  IS(refills);
  IS(flushes);
  IS(pops);
  IS(pushes);
  IS(system_calls);
  IS(decommitted);
  IS(huge_1g);
  IS(huge_2m);
  IS(huge_advised);
  IS(huge_1g_fallbacks);
  IS(huge_2m_fallbacks);
#undef IS
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
#define IS(name) assert_int_equal(number(strstr(text, "classes"), #name, class), s.classes[class].name)
    IS(size);
    IS(blocks);
    IS(cached);
    IS(free);
    IS(detached);
    IS(uncommitted);
    IS(bare);
    IS(lost);
    IS(locked);
#undef IS
  }
  /* Each word of the struct is printed once. */
  unsigned numbers = 0;
  for (const char *at = text; (at = strchr(at, ':')); at++) numbers++;
  assert_int_equal(numbers, sizeof s / sizeof(u64) + 1);
}

static void test_largest_figures(void **state) {
  (void)state;
  struct copse_stats s;
  memset(&s, 0xFF, sizeof s);
  static char text[40000];
  assert_true(copse_stats_print(&s, text, sizeof text) < sizeof text);
  assert_true(json_valid(text));
  assert_true(number(text, "reserved", 0) == UINT64_MAX);
  memset(&s, 0, sizeof s);
  copse_stats_print(&s, text, sizeof text);
  assert_true(json_valid(text));
}

static void test_cut_off_as_snprintf(void **state) {
  (void)state;
  struct copse_stats s = sample();
  static char whole[40000], text[40000];
  size_t length = copse_stats_print(&s, whole, sizeof whole);
  assert_int_equal(copse_stats_print(&s, NULL, 0), length);
  for (size_t size = 0; size <= length + 3; size += size < 300 || size + 300 > length ? 1 : 97) {
    memset(text, '#', sizeof text);
    assert_int_equal(copse_stats_print(&s, text, size), length);
    size_t kept = size == 0 ? 0 : size <= length ? size - 1 : length;
    assert_memory_equal(text, whole, kept);
    if (size) assert_int_equal(text[kept], 0);
    for (size_t i = size ? kept + 1 : 0; i < size + 100 && i < sizeof text; i++)
      if (text[i] != '#') fail_msg("size %zu: wrote at %zu", size, i);
  }
}

/* ---- counting, in a process of its own: before the first allocation and behind it ---- */

static bool balanced(const struct copse_stats *s, const u64 live[COPSE_CLASSES]) {
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &s->classes[class];
    if (live[class] + c->quarantined + c->cached + c->free + c->detached + c->uncommitted + c->lost != 64 * c->blocks) return false;
  }
  return true;
}

static int count_it(void *argument) {
  (void)argument;
  static struct copse_stats s, t;
  static u64 live[COPSE_CLASSES];
  static char text[40000];
  /* Nothing has happened: all is zero, and nothing starts by asking. */
  copse_stats(&s);
  for (unsigned i = 0; i < sizeof s / sizeof(u64); i++) require(((u64 *)&s)[i] == 0);
  require(copse_stats_json(text, sizeof text) == strlen(text) && json_valid(text));
  require(copse_regions.base == NULL);

  /* Explicit huge pages, which there may be for another test, are never bare. */
  require(copse_tune_set("huge", 1) == 0);
  static void *p[COPSE_CLASSES][70];
  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (unsigned i = 0; i < 70; i++, live[class]++) require((p[class][i] = copse_alloc(class_size(class))));
  copse_stats(&s);
  require(s.page_size == (u64)sysconf(_SC_PAGESIZE));
  require(s.reserved == region_reserved());
  require(s.threads == 1 && s.generation == 0 && s.decommitted == 0);
  require(s.spans == 0 && s.span_bytes == 0 && s.span_cached == 0);
  require(s.metadata > 0 && s.system_calls > 0 && s.refills > 0 && s.pops == 0 && s.pushes == 0);
  u64 bytes = 0, slots = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    slots += (64 * s.classes[class].blocks - s.classes[class].uncommitted) * class_size(class);
    require(s.classes[class].size == class_size(class));
    require(s.classes[class].lost == 0 && s.classes[class].detached == 0 && s.classes[class].locked > 0);
    require(s.classes[class].bare <= s.classes[class].free);
    bytes += 70 * class_size(class);
  }
  require(s.committed == slots && slots >= bytes && s.in_use >= bytes);
  require(balanced(&s, live));

  void *span = copse_alloc((size_t)5 << 20);
  require(span);
  copse_stats(&t);
  require(t.spans == 1 && t.span_bytes == (u64)5 << 20);
  copse_free(span, (size_t)5 << 20);
  copse_stats(&t);
  require(t.spans == 0 && t.span_bytes == 0 && t.span_cached == (u64)5 << 20);

  for (unsigned class = 0; class < COPSE_CLASSES; class++)
    for (unsigned i = 0; i < 70; i++) copse_free(p[class][i], class_size(class));
  memset(live, 0, sizeof live);
  copse_stats(&s);
  require(balanced(&s, live));
  u64 cached = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) cached += s.classes[class].cached;
  require(cached > 0);
  u64 given = copse_trim();
  copse_stats(&t);
  require(balanced(&t, live));
  require(t.generation == 1 && t.decommitted >= s.decommitted + given && given > 0 && t.flushes > s.flushes);
  require(t.span_cached == 0);
  u64 warm = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &t.classes[class];
    require(c->cached == 0);
    /* What keeps its pages shares one with a block, or a slot, that never had any. */
    u64 unit = c->size < SLOTWISE_SIZE ? 64 : 1, last = t.page_size / (unit * c->size) + 1;
    require(c->free - c->bare <= (unit * c->size % t.page_size ? unit * last : 0));
    warm += (c->free - c->bare) * c->size;
  }
  require(t.in_use == warm);
  require(copse_stats_json(NULL, 0) == copse_stats_json(text, sizeof text));
  require(json_valid(text) && number(text, "generation", 0) == 1);
  return 0;
}

static void test_counting(void **state) {
  (void)state;
  assert_int_equal(in_child(count_it, NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_checker),
    cmocka_unit_test(test_every_field_is_printed),
    cmocka_unit_test(test_largest_figures),
    cmocka_unit_test(test_cut_off_as_snprintf),
    cmocka_unit_test(test_counting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
