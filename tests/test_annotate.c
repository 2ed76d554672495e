/* SPDX-License-Identifier: MIT */
/*
 * What the tools are told.  The program brings runtimes of its own that write down what they hear: no sanitizer is
 * needed, and what real ones make of it is for check-asan.sh and its like.
 */
#include "core.h"
#include "annotate.h"
#include "check.h"

#if !INSTRUMENTED

static void test_release_has_none_of_it(void **state) {
  (void)state;
  copse_annotate_start();
  copse_annotate_alloc(undefined, 1, 16, false); /* not even its arguments are */
  copse_annotate_enter();
  copse_annotate_leave();
  assert_int_equal(copse_tools, 0);
  assert_int_equal(copse_annotate_reserve_most(), ~(u64)0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_release_has_none_of_it)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#elif UNDER_ASAN || UNDER_TSAN || UNDER_MSAN

static void test_of_fakes(void **state) {
  (void)state;
  skip(); /* the program has a real runtime */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_of_fakes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the runtimes ---- */

static char heard[4096];
static void hear(const char *format, ...) {
  size_t at = strlen(heard);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(heard + at, sizeof heard - at, format, arguments);
  va_end(arguments);
}
/* Since it was asked last. */
static const char *was_heard(void) {
  static char copy[sizeof heard];
  strcpy(copy, heard);
  heard[0] = 0;
  return copy;
}

static char memory[1 << 16] __attribute__((aligned(4096)));
static u8 shadow[sizeof memory / 8] __attribute__((aligned(4096)));
static long at(const void *p) { return (long)((const char *)p - memory); }

static size_t scale = 3;
static int poisoned = 1;
static void (*asan_callback)(const char *text);
static void *asan_address;
void __asan_get_shadow_mapping(size_t *s, size_t *offset);
void __asan_get_shadow_mapping(size_t *s, size_t *offset) {
  *s = scale;
  *offset = (uptr)shadow - ((uptr)memory >> 3);
}
void __asan_poison_memory_region(const volatile void *p, size_t n);
void __asan_poison_memory_region(const volatile void *p, size_t n) { (void)p, (void)n; }
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
void __asan_unpoison_memory_region(const volatile void *p, size_t n) { (void)p, (void)n; }
int __asan_address_is_poisoned(const volatile void *p);
int __asan_address_is_poisoned(const volatile void *p) { return (void)p, poisoned; }
void __asan_set_error_report_callback(void (*callback)(const char *));
void __asan_set_error_report_callback(void (*callback)(const char *)) { asan_callback = callback; }
void *__asan_get_report_address(void);
void *__asan_get_report_address(void) { return asan_address; }

void __lsan_register_root_region(const void *p, size_t n);
void __lsan_register_root_region(const void *p, size_t n) { hear("root(%ld,%zu) ", at(p), n); }

void __msan_allocated_memory(const volatile void *p, size_t n);
void __msan_allocated_memory(const volatile void *p, size_t n) { hear("uninit(%ld,%zu) ", at((const void *)p), n); }
void __msan_unpoison(const volatile void *p, size_t n);
void __msan_unpoison(const volatile void *p, size_t n) { hear("init(%ld,%zu) ", at((const void *)p), n); }

void __tsan_java_init(uptr p, uptr n);
void __tsan_java_init(uptr p, uptr n) { hear("heap(%ld,%zu) ", at((void *)p), n); }
void __tsan_java_alloc(uptr p, uptr n);
void __tsan_java_alloc(uptr p, uptr n) { hear("block(%ld,%zu) ", at((void *)p), n); }
void __tsan_java_free(uptr p, uptr n);
void __tsan_java_free(uptr p, uptr n) { hear("forget(%ld,%zu) ", at((void *)p), n); }
void __tsan_write_range(void *p, unsigned long n);
void __tsan_write_range(void *p, unsigned long n) { hear("write(%ld,%lu) ", at(p), n); }
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line) { (void)file, (void)line, hear("ignore "); }
void AnnotateIgnoreWritesEnd(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line) { (void)file, (void)line, hear("heed "); }
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncBegin(const char *file, int line) { (void)file, (void)line, hear("nosync "); }
void AnnotateIgnoreSyncEnd(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line) { (void)file, (void)line, hear("sync "); }
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) { hear("from(%ld) ", at(caller)); }
void __tsan_func_exit(void *unused);
void __tsan_func_exit(void *unused) {
  (void)unused;
  hear("back ");
}

void __sanitizer_symbolize_pc(void *pc, const char *format, char *text, size_t room);
void __sanitizer_symbolize_pc(void *pc, const char *format, char *text, size_t room) {
  (void)format;
  snprintf(text, room, at(pc) == 99 ? "<null> (module)" : "f%ld", at(pc));
}

/* ---- */

enum { TOOLS_HERE = TOOL_ASAN | TOOL_TSAN | TOOL_MSAN | TOOL_LSAN };

/* One tool at a time, so that what it heard can be told from the others. */
static int only(void **state, unsigned tool) {
  (void)state;
  copse_tools = tool;
  copse_annotate_selfcheck = false;
  memset(shadow, 0x55, sizeof shadow);
  heard[0] = 0;
  return 0;
}
static int with_asan(void **state) { return only(state, TOOL_ASAN); }
static int with_tsan(void **state) { return only(state, TOOL_TSAN); }
static int with_msan(void **state) { return only(state, TOOL_MSAN); }
static int with_lsan(void **state) { return only(state, TOOL_LSAN); }
static int with_none(void **state) { return only(state, 0); }

static void test_finds_all(void **state) {
  (void)state;
  assert_int_equal(copse_tools & ~(unsigned)TOOL_VALGRIND, TOOLS_HERE);
}

static int start_unheard(void *unused) {
  (void)unused;
  poisoned = 0;
  copse_annotate_start();
  return 0;
}
static int start_scaled(void *unused) {
  (void)unused;
  scale = 5;
  copse_annotate_start();
  return 0;
}
static int start_selfcheck(void *unused) {
  (void)unused;
  copse_annotate_selfcheck = true;
  copse_annotate_start();
  return copse_annotate_selfcheck;
}

static void test_start(void **state) {
  (void)state;
  char said[1000];
  assert_int_equal(in_child_saying(start_unheard, NULL, said, sizeof said), -SIGABRT);
  assert_non_null(strstr(said, "allow_user_poisoning=0"));
  assert_int_equal(in_child_saying(start_scaled, NULL, said, sizeof said), -SIGABRT);
  assert_non_null(strstr(said, "scale"));
  assert_int_equal(in_child_saying(start_selfcheck, NULL, said, sizeof said), 0);
  assert_non_null(strstr(said, "tsan=1"));
}

static void test_reserve_most(void **state) {
  (void)state;
  assert_int_equal(copse_annotate_reserve_most(), (u64)16 << 40);
  copse_tools = TOOL_MSAN;
  assert_int_equal(copse_annotate_reserve_most(), (u64)4 << 40);
  copse_tools = TOOL_MSAN | TOOL_TSAN;
  assert_int_equal(copse_annotate_reserve_most(), (u64)512 << 30);
  copse_tools = TOOL_VALGRIND;
  assert_int_equal(copse_annotate_reserve_most(), (u64)16 << 30);
}

static void test_nobody_is_told_without_tools(void **state) {
  (void)state;
  copse_annotate_reserved(memory, sizeof memory);
  copse_annotate_fresh(memory, 4096);
  copse_annotate_enter();
  copse_annotate_alloc(memory, 13, 32, false);
  copse_annotate_free(memory, 13, 32);
  copse_annotate_recycle(memory, 32);
  copse_annotate_gone(memory, 4096);
  copse_annotate_leave();
  assert_string_equal(was_heard(), "");
  for (size_t i = 0; i < sizeof shadow; i++) assert_int_equal(shadow[i], 0x55);
}

/* Shadow of [from, ...), a pair of digits a byte. */
static const char *painted(size_t from, size_t n) {
  static char text[200];
  for (size_t i = 0; i < n; i++) snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", shadow[from / 8 + i]);
  return text;
}

static void test_asan_paints_exactly(void **state) {
  (void)state;
  copse_annotate_fresh(memory + 4096, 4096);
  assert_string_equal(painted(4096 - 16, 4), "5555f7f7");
  assert_string_equal(painted(8192 - 16, 4), "f7f75555");
  copse_annotate_alloc(memory + 4096, 13, 32, false);
  assert_string_equal(painted(4096 - 16, 7), "5555"
                                             "0005fafa"
                                             "f7");
  copse_annotate_alloc(memory + 4128, 16, 32, true);
  assert_string_equal(painted(4096, 9), "0005fafa"
                                        "0000fafa"
                                        "f7");
  copse_annotate_free(memory + 4096, 13, 32);
  assert_string_equal(painted(4096, 8), "fdfdfafa"
                                        "0000fafa");
  copse_annotate_recycle(memory + 4096, 32);
  assert_string_equal(painted(4096, 4), "fdfdfafa");
  copse_annotate_alloc(memory + 4096, 1, 32, false);
  assert_string_equal(painted(4096, 4), "01fafafa");
  copse_annotate_gone(memory + 4096, 32);
  assert_string_equal(painted(4096, 5), "00000000"
                                        "00");
}

static void test_asan_left_redzone(void **state) {
  (void)state;
  copse_annotate_fresh(memory, 8192);
  copse_annotate_alloc(memory + 4096, 48, 64, false); /* the slot before it was never handed out */
  assert_string_equal(painted(4096 - 24, 3), "f7fafa");
  /* and what may be accessed stays so. */
  shadow[(8192 - 8) / 8] = 0;
  copse_annotate_alloc(memory + 8192, 48, 64, false);
  assert_string_equal(painted(8192 - 16, 3), "fa0000");
}

static void test_asan_paints_every_length(void **state) {
  (void)state;
  for (u64 size = 1; size < 400; size++) {
    u64 room = round_up(size + 16, 16);
    memset(shadow, 0x55, sizeof shadow);
    copse_annotate_alloc(memory + 48, size, room, false);
    for (u64 i = 0; i < room / 8; i++)
      assert_int_equal(shadow[6 + i], i < size / 8 ? 0 : i == size / 8 && size % 8 ? size % 8 : 0xfa);
    assert_int_equal(shadow[5], 0x55);
    assert_int_equal(shadow[6 + room / 8], 0x55);
    copse_annotate_free(memory + 48, size, room);
    for (u64 i = 0; i < room / 8; i++) assert_int_equal(shadow[6 + i], i < room / 8 - 2 ? 0xfd : 0xfa);
    assert_int_equal(shadow[6 + room / 8], 0x55);
  }
}

static const void *described;
static void describe(const void *address) { described = address; }

static void test_asan_report(void **state) {
  (void)state;
  copse_annotate_on_report(describe);
  asan_address = memory + 7;
  asan_callback("==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x123\n");
  assert_ptr_equal(described, memory + 7);
  asan_address = NULL;
  asan_callback("rubbish 0x1\n==1==ERROR: AddressSanitizer: SEGV on unknown address 0x7f00ab (pc 0x2 sp 0x3)\n");
  assert_ptr_equal(described, (void *)0x7f00ab);
  asan_callback("==1==ERROR: AddressSanitizer: SEGV on unknown address 0x7f00ab10 (pc 0x2 sp 0x3)\nmore 0x4\n");
  assert_ptr_equal(described, (void *)0x7f00ab10);
  asan_callback("==1==ERROR: AddressSanitizer: out of something\nmore 0x4\n");
  assert_null(described);
  asan_callback("something else");
  assert_null(described);
}

static void test_tsan_user(void **state) {
  (void)state;
  copse_annotate_reserved(memory, sizeof memory);
  assert_string_equal(was_heard(), "heap(0,65536) ");
  copse_annotate_fresh(memory, 4096);
  copse_annotate_alloc(memory, 13, 32, false);
  assert_string_equal(was_heard(), "forget(0,32) block(0,16) ");
  copse_annotate_free(memory, 13, 32);
  assert_string_equal(was_heard(), "write(0,16) ");
  copse_annotate_free(memory + 4096, 5000, 5120);
  assert_string_equal(was_heard(), "write(4096,1024) ");
  copse_annotate_gone(memory, 64);
  assert_string_equal(was_heard(), "forget(0,64) ");
}

static void test_tsan_hides(void **state) {
  (void)state;
  copse_annotate_enter_at(memory + 8);
  copse_annotate_enter_at(memory + 24);
  assert_string_equal(was_heard(), "from(8) ignore nosync ");
  copse_annotate_alloc(memory, 13, 32, false);
  assert_string_equal(was_heard(), "forget(0,32) block(0,16) ");
  copse_annotate_free(memory, 13, 32); /* a write that must be seen */
  assert_string_equal(was_heard(), "heed write(0,16) ignore ");
  copse_annotate_leave();
  assert_string_equal(was_heard(), "");
  copse_annotate_leave();
  assert_string_equal(was_heard(), "sync heed back ");
}

static void test_tsan_selfcheck(void **state) {
  (void)state;
  copse_annotate_selfcheck = true;
  copse_annotate_enter_at(memory);
  assert_string_equal(was_heard(), "");
  copse_annotate_alloc(memory, 13, 32, false);
  assert_string_equal(was_heard(), "write(0,16) forget(0,32) block(0,16) write(0,16) ");
  copse_annotate_free(memory, 13, 32);
  assert_string_equal(was_heard(), "write(0,16) ");
  copse_annotate_leave();
  assert_string_equal(was_heard(), "");
}

static void test_msan(void **state) {
  (void)state;
  copse_annotate_fresh(memory, 4096);
  assert_string_equal(was_heard(), "uninit(0,4096) ");
  copse_annotate_alloc(memory, 13, 32, false);
  assert_string_equal(was_heard(), "uninit(0,13) ");
  copse_annotate_alloc(memory + 32, 13, 32, true);
  assert_string_equal(was_heard(), "init(32,13) ");
  copse_annotate_free(memory, 13, 32);
  assert_string_equal(was_heard(), "uninit(0,32) ");
  copse_annotate_gone(memory, 4096);
  assert_string_equal(was_heard(), "init(0,4096) ");
}

static void test_lsan(void **state) {
  (void)state;
  copse_annotate_reserved(memory, sizeof memory);
  assert_string_equal(was_heard(), "root(0,65536) ");
}

static void test_symbolize(void **state) {
  (void)state;
  char text[8];
  assert_true(copse_annotate_symbolize((uptr)memory + 5, text, sizeof text));
  assert_string_equal(text, "f4"); /* the call, not what it returns to */
  assert_false(copse_annotate_symbolize((uptr)memory, text, 0));
  assert_false(copse_annotate_symbolize((uptr)memory + 100, text, sizeof text)); /* a module without a name is no function */
}

int main(void) {
  copse_annotate_start();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finds_all),
      cmocka_unit_test(test_start),
      cmocka_unit_test_setup(test_reserve_most, with_none),
      cmocka_unit_test_setup(test_nobody_is_told_without_tools, with_none),
      cmocka_unit_test_setup(test_asan_paints_exactly, with_asan),
      cmocka_unit_test_setup(test_asan_left_redzone, with_asan),
      cmocka_unit_test_setup(test_asan_paints_every_length, with_asan),
      cmocka_unit_test_setup(test_asan_report, with_asan),
      cmocka_unit_test_setup(test_tsan_user, with_tsan),
      cmocka_unit_test_setup(test_tsan_hides, with_tsan),
      cmocka_unit_test_setup(test_tsan_selfcheck, with_tsan),
      cmocka_unit_test_setup(test_msan, with_msan),
      cmocka_unit_test_setup(test_lsan, with_lsan),
      cmocka_unit_test(test_symbolize),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
