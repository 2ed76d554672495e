/* SPDX-License-Identifier: MIT */
/* What a report says: one line first, then an address in words and the stacks; and what follows it. */
#define THIS_TEST "test_report"
#include "report_help.h"
#include "report_place.h"
#include <stdatomic.h>

#if INSTRUMENTED

static int double_free(void *unused) {
  (void)unused;
  char *p = hidden_pointer(allocate_it(64));
  free_it(p, 64);
  free_it(p, 64);
  return 0;
}

static void test_the_whole_of_it(void **state) {
  (void)state;
  char line[200];
  assert_int_equal(in_child_saying(double_free, NULL, said, sizeof said), -SIGABRT);
  const char *at = said;
  void *p;
  assert_int_equal(sscanf(said, "copse: copse_free: freed before (pointer %p, size 64; 64 bytes asked for)\n", &p), 1);
  snprintf(line, sizeof line, "copse: copse_free: freed before (pointer %p, size 64; 64 bytes asked for)\n  here, thread ", p);
  assert_memory_equal(said, line, strlen(line));
  next_is(&at, "\n  here, thread ");
  next_is(&at, "\n    #0 0x");
  next_frame(&at, "free_it");
  next_frame(&at, "double_free");
  snprintf(line, sizeof line, "\n  %p is 0 bytes inside a block of 64 bytes [%p,%p), freed, in quarantine\n", p, p, (void *)((char *)p + 64));
  next_is(&at, line);
  at--;
  next_is(&at, "\n  allocated by thread ");
  next_frame(&at, "allocate_it");
  next_frame(&at, "double_free");
  next_is(&at, "\n  freed by thread ");
  next_frame(&at, "free_it");
  next_frame(&at, "double_free");
}

static void *free_in_thread(void *p) {
  free_it(p, 100);
  return NULL;
}

static int double_free_by_two(void *unused) {
  pthread_t thread;
  char *p = hidden_pointer(allocate_it(100));
  pthread_create(&thread, NULL, free_in_thread, p);
  pthread_join(thread, NULL);
  free_it(p, 100);
  return unused != NULL;
}

static void test_threads_are_told_apart(void **state) {
  (void)state;
  unsigned here, allocated, freed;
  assert_int_equal(in_child_saying(double_free_by_two, NULL, said, sizeof said), -SIGABRT);
  assert_int_equal(sscanf(strstr(said, "here, thread "), "here, thread %u:", &here), 1);
  assert_int_equal(sscanf(strstr(said, "allocated by "), "allocated by thread %u:", &allocated), 1);
  assert_int_equal(sscanf(strstr(said, "freed by "), "freed by thread %u:", &freed), 1);
  assert_int_equal(here, allocated);
  assert_int_not_equal(here, freed);
}

/* Of two that free at the same time the first has not noted yet who it is. */
static void *note_later(void *side) {
  usleep(50000);
  __atomic_store_n(&((struct side *)side)->state, (u8)SIDE_QUARANTINE, __ATOMIC_RELEASE);
  return NULL;
}

static int in_the_midst(void *notes) {
  pthread_t thread;
  char *p = hidden_pointer(allocate_it(64));
  free_it(p, 64);
  struct side *side = copse_place_of(p).side;
  __atomic_store_n(&side->state, (u8)SIDE_BUSY, __ATOMIC_RELEASE);
  if (notes) pthread_create(&thread, NULL, note_later, side);
  copse_report_describe(p);
  if (notes) pthread_join(thread, NULL);
  return 0;
}

static void test_a_moment_for_who_frees_it(void **state) {
  (void)state;
  bool notes = true;
  assert_int_equal(in_child_saying(in_the_midst, &notes, said, sizeof said), 0);
  assert_non_null(strstr(said, ", freed, in quarantine\n"));
  assert_non_null(strstr(said, "\n  freed by thread "));
  /* And no more than a moment. */
  assert_int_equal(in_child_saying(in_the_midst, NULL, said, sizeof said), 0);
  assert_non_null(strstr(said, ", being allocated or freed\n"));
  assert_null(strstr(said, "\n  freed by thread "));
}

/* ---- what follows ---- */

static int trapping(void *unused) {
  copse_tunables.misuse = 1;
  signal(SIGILL, SIG_DFL);
  signal(SIGTRAP, SIG_DFL);
  return double_free(unused);
}

static void test_trap(void **state) {
  (void)state;
  int status = in_child_saying(trapping, NULL, said, sizeof said);
  assert_true(status == -SIGILL || status == -SIGTRAP);
  assert_int_equal(count_of(said, "freed before"), 1);
}

static struct copse_misuse got;
static unsigned calls;
static void *last_context;
static void note(const struct copse_misuse *misuse, void *context) {
  got = *misuse;
  last_context = context;
  calls++;
  /* It may allocate. */
  free_it(allocate_it(64), 64);
}

static int handled(void *unused) {
  int context;
  copse_on_misuse(note, &context);
  char *p = hidden_pointer(allocate_it(64));
  free_it(p, 64);
  free_it(p, 64);
  require(calls == 1 && last_context == &context);
  require(strcmp(got.function, "copse_free") == 0 && strcmp(got.what, "freed before") == 0);
  require(got.pointer == p && got.size == 64 && got.asked == 64);
  copse_free_unsized(hidden_pointer(&context));
  require(calls == 2 && got.pointer == &context && got.size == 0 && got.asked == 0);
  require(strcmp(got.function, "copse_free_unsized") == 0);
  require(copse_usable_size(hidden_pointer(&context)) == 0 && calls == 3);
  require(!copse_realloc(hidden_pointer(&context), 1, 2) && calls == 4);
  /* Taken away, it aborts again. */
  copse_on_misuse(NULL, NULL);
  free_it(p, 64);
  return unused != NULL;
}

static void test_handler(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(handled, NULL, said, sizeof said), -SIGABRT);
  assert_int_equal(count_of(said, "copse: copse_"), 5);
}

/* Two that are set in turn while misuses are found: each is called with its own context. */
static struct turn {
  atomic_ulong calls, strangers;
} turns[2];
static atomic_bool turns_over;

static void note_turn(struct turn *turn, const void *context) {
  turn->calls++;
  turn->strangers += context != turn;
}
static void first_handler(const struct copse_misuse *misuse, void *context) { note_turn(&turns[misuse == NULL], context); }
static void second_handler(const struct copse_misuse *misuse, void *context) { note_turn(&turns[misuse != NULL], context); }

static void *take_turns(void *unused) {
  while (!turns_over) {
    copse_on_misuse(first_handler, &turns[0]);
    copse_on_misuse(second_handler, &turns[1]);
  }
  return unused;
}

static int handled_in_turn(void *unused) {
  enum { MISUSES = 5000 };
  pthread_t thread;
  close(STDERR_FILENO);
  copse_tune_set("stacks", 0);
  copse_on_misuse(first_handler, &turns[0]);
  char *p = hidden_pointer(allocate_it(64));
  require(pthread_create(&thread, NULL, take_turns, NULL) == 0);
  for (unsigned i = 0; i < MISUSES; i++) free_it(p, 65);
  turns_over = true;
  pthread_join(thread, NULL);
  require(turns[0].calls + turns[1].calls == MISUSES);
  require(turns[0].strangers + turns[1].strangers == 0);
  free_it(p, 64);
  return unused != NULL;
}

static void test_handlers_have_their_context(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(handled_in_turn, NULL, said, sizeof said), 0);
}

static int without_stderr(void *unused) {
  close(STDERR_FILENO);
  return double_free(unused);
}

static void test_nowhere_to_say_it(void **state) {
  (void)state;
  assert_int_equal(in_child_saying(without_stderr, NULL, said, sizeof said), -SIGABRT);
  assert_string_equal(said, "");
}

static int say_it(void *text) {
  copse_report_say("%s", (const char *)text);
  return 0;
}

static void test_one_line_however_long(void **state) {
  (void)state;
  char text[500];
  for (size_t length = 0; length < sizeof text; length++) {
    memset(text, 'x', length);
    text[length] = 0;
    if (length > 20 && length < 280) continue;
    assert_int_equal(in_child_saying(say_it, text, said, sizeof said), 0);
    assert_int_equal(count_of(said, "\n"), 1);
    assert_int_equal(said[strlen(said) - 1], '\n');
    if (length < 300) assert_int_equal(strlen(said), length + 1);
    length += 3;
  }
}

/* ---- an address in words ---- */

static int describe(void *address) {
  copse_report_describe(address);
  return 0;
}

static void described(const void *address, const char *words) {
  assert_int_equal(in_child_saying(describe, (void *)(uptr)address, said, sizeof said), 0);
  if (!strstr(said, words)) fail_msg("no \"%s\" in: %s", words, said);
}

static char words[200];
static const char *block(const char *where, const char *p, size_t size, const char *how) {
  snprintf(words, sizeof words, " is %s a block of %zu bytes [%p,%p), %s\n", where, size, (const void *)p, (const void *)(p + size), how);
  return words;
}

static void test_addresses(void **state) {
  (void)state;
  char *p = allocate_it(50), *q = allocate_it(50), *low = p < q ? p : q, *high = p < q ? q : p;
  described(p, block("0 bytes inside", p, 50, "live"));
  assert_int_equal(count_of(said, "allocated by thread"), 1);
  assert_int_equal(count_of(said, "freed by thread"), 0);
  described(p + 49, block("49 bytes inside", p, 50, "live"));
  described(p + 50, block("0 bytes after", p, 50, "live"));
  described(p + 60, block("10 bytes after", p, 50, "live"));
  /* The slot is of 80 bytes: between two it is said of both. */
  assert_ptr_equal(low + 80, high);
  described(high - 1, block("29 bytes after", low, 50, "live"));
  described(high - 1, block("1 bytes before", high, 50, "live"));
  low[0] = 1; /* so that the page they share stays */
  free_it(high, 50);
  described(high + 3, block("3 bytes inside", high, 50, "freed, in quarantine"));
  assert_int_equal(count_of(said, "freed by thread"), 1);
  copse_trim();
  described(high + 3, block("3 bytes inside", high, 50, "freed"));
  assert_int_equal(count_of(said, "freed by thread"), 1);
  free_it(low, 50);
}

static void test_address_never_handed_out(void **state) {
  (void)state;
  char *p = allocate_it(700);
  described(p + 10 * 768, ", never handed out\n");
  assert_int_equal(count_of(said, "by thread"), 0);
  described(region_base(region_own()), "copse's own memory\n");
  described(region_base(33) + region_size() / 2, "copse's address space, in no block\n");
  free_it(p, 700);
}

static void test_foreign_address(void **state) {
  (void)state;
  described(said, "");
  assert_string_equal(said, "");
  described(NULL, "");
  assert_string_equal(said, "");
}

static void test_spans(void **state) {
  (void)state;
  size_t size = ((size_t)5 << 20) + 100;
  char *p = allocate_it(size);
  described(p, block("0 bytes inside", p, size, "live"));
  described(p + ((size_t)4 << 20) + 5, block("4194309 bytes inside", p, size, "live"));
  described(p + size, block("0 bytes after", p, size, "live"));
  free_it(p, size);
  described(p + ((size_t)4 << 20), block("4194304 bytes inside", p, size, "freed, in quarantine"));
  copse_trim();
  described(p + ((size_t)4 << 20), block("4194304 bytes inside", p, size, "freed, and its pages given back"));
  described(p + ((size_t)16 << 20), "in no block");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_whole_of_it),
    cmocka_unit_test(test_threads_are_told_apart),
    cmocka_unit_test(test_a_moment_for_who_frees_it),
    cmocka_unit_test(test_trap),
    cmocka_unit_test(test_handler),
    cmocka_unit_test(test_handlers_have_their_context),
    cmocka_unit_test(test_nowhere_to_say_it),
    cmocka_unit_test(test_one_line_however_long),
    cmocka_unit_test(test_foreign_address),
    cmocka_unit_test(test_addresses),
    cmocka_unit_test(test_address_never_handed_out),
    cmocka_unit_test(test_spans),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release says nothing");
  return 0;
}

#endif
