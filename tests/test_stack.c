/* SPDX-License-Identifier: MIT */
/* Stacks: whose functions they name, that each is kept once, and where the walk ends. */
#include "core.h"
#include "process.h"
#include "check.h"
#include "stack.h"
#include "symbol.h"
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#if INSTRUMENTED

static int up(void **state) {
  (void)state;
  core_up((u64)1 << 32);
  copse_stack_start();
  if (UNDER_VALGRIND) copse_tools = TOOL_VALGRIND;
  return 0;
}

static int down(void **state) {
  (void)state;
  vm_faults_remove();
  core_down();
  return 0;
}

/* Frames that no compiler leaves out: something is done behind each call. */
#define KEPT __attribute__((noinline))
static __thread volatile unsigned depth;
KEPT static u32 innermost(void) { return copse_stack_capture(__builtin_return_address(0), __builtin_frame_address(0)); }
KEPT static u32 middle(void) {
  u32 stack = innermost();
  depth++;
  return stack;
}
KEPT static u32 outermost(void) {
  u32 stack = middle();
  depth++;
  return stack;
}
KEPT static u32 deep(unsigned n) {
  u32 stack = n ? deep(n - 1) : innermost();
  depth++;
  return stack;
}

/* Whether frame i is code of the function whose name is given. */
static bool frame_is(u32 stack, unsigned i, const char *name) {
  uptr frames[STACK_FRAMES];
  char text[300];
  if (i >= copse_stack_frames(stack, frames)) return false;
  copse_symbol_describe(frames[i], text, sizeof text);
  size_t length = strlen(name);
  if (strncmp(text, name, length) == 0 && text[length] == ' ') return true;
  fprintf(stderr, "frame %u: %s\n", i, text);
  return false;
}

static void test_names_the_callers(void **state) {
  (void)state;
  u32 stack = outermost();
  assert_int_not_equal(stack, 0);
  assert_true(frame_is(stack, 0, "middle"));
  assert_true(frame_is(stack, 1, "outermost"));
  assert_true(frame_is(stack, 2, "test_names_the_callers"));
}

static void test_each_is_kept_once(void **state) {
  (void)state;
  u32 seen[3];
  volatile unsigned n = 3; /* so that no compiler unrolls it */
  for (unsigned i = 0; i < n; i++) seen[i] = outermost(); /* one call */
  assert_int_equal(seen[0], seen[1]);
  assert_int_equal(seen[0], seen[2]);
  assert_int_not_equal(seen[0], middle());
  assert_int_not_equal(seen[0], outermost()); /* another one */
}

static void test_no_more_frames_than_there_is_room_for(void **state) {
  (void)state;
  uptr frames[STACK_FRAMES];
  u32 stack = deep(100);
  assert_int_equal(copse_stack_frames(stack, frames), STACK_FRAMES);
  assert_true(frame_is(stack, 0, "deep") && frame_is(stack, STACK_FRAMES - 1, "deep"));
  assert_int_equal(copse_stack_frames(0, frames), 0);
}

static void test_none_where_the_parameter_says_so(void **state) {
  (void)state;
  copse_tunables.stacks = 0;
  assert_int_equal(outermost(), 0);
}

/* Whatever the frame pointer is, nothing is read that may not be. */
static void test_a_walk_ends_at_garbage(void **state) {
  (void)state;
  uptr record[8] __attribute__((aligned(16)));
  uptr frames[STACK_FRAMES];
  char *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uptr garbage[] = {0, 1, 8, (uptr)record, (uptr)hole, (uptr)record + 3, ~(uptr)0, ~(uptr)7, (uptr)1 << 47, (uptr)record - 64};
  for (unsigned i = 0; i < sizeof garbage / sizeof *garbage; i++) {
    record[0] = garbage[i];
    record[1] = 1234567;
    u32 stack = copse_stack_capture((void *)(uptr)1234567, record);
    assert_int_equal(copse_stack_frames(stack, frames), 1);
    assert_int_equal(frames[0], 1234567);
  }
  /* A record that is none: its "return address" is data. */
  const uptr data[] = {0, 77, ~(uptr)0, (uptr)1 << 60, 73871, getauxval(AT_PHDR) - 1};
  for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
    record[0] = (uptr)&record[4];
    record[4] = 0;
    record[5] = i == 1 ? (uptr)record : data[i];
    assert_int_equal(copse_stack_frames(copse_stack_capture((void *)(uptr)1234567, record), frames), 1);
  }
  /* The frame itself may be anywhere. */
  assert_int_equal(copse_stack_frames(copse_stack_capture((void *)(uptr)1234567, hole), frames), 1);
  assert_int_equal(copse_stack_frames(copse_stack_capture((void *)(uptr)1234567, NULL), frames), 1);
  munmap(hole, 8192);
}

/* A stack right below what is not mapped: the walk stops in time. */
static ucontext_t main_context, fiber_context;
static u32 fiber_stack;
static void fiber(void) { fiber_stack = outermost(); }

static void test_fibers(void **state) {
  (void)state;
  enum { BYTES = 256 << 10 };
  uptr frames[STACK_FRAMES];
  for (unsigned i = 0; i < 4; i++) {
    char *place = mmap(NULL, BYTES + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(mprotect(place + 4096, BYTES, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(getcontext(&fiber_context), 0);
    fiber_context.uc_stack.ss_sp = place + 4096;
    fiber_context.uc_stack.ss_size = BYTES;
    fiber_context.uc_link = &main_context;
    makecontext(&fiber_context, fiber, 0);
    assert_int_equal(swapcontext(&main_context, &fiber_context), 0);
    assert_true(frame_is(fiber_stack, 1, "outermost") && frame_is(fiber_stack, 2, "fiber"));
    u32 own = outermost();
    assert_true(frame_is(own, 2, "test_fibers"));
    assert_true(copse_stack_frames(own, frames) > 2);
    munmap(place, BYTES + 8192);
  }
}

/*
 * What a register holds that is no frame pointer may be an address above the stack, where memory was when the stack was looked up, in one
 * mapping with it, and is no more.  Of a thread with a stack of its user's, of a fiber, of a fiber of the first thread's whose stack
 * the kernel put right below what the loader mapped for that thread, and of one below a thread's own.
 */
enum { STACK = 1 << 20, ABOVE = 64 << 10 };
static char *stack_and_more, *below_the_first;
static char *map_stack(void) { return mmap(NULL, STACK + ABOVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void above_is_gone(void) {
  uptr record[4] __attribute__((aligned(16))) = {0}, frames[STACK_FRAMES];
  copse_stack_capture((void *)(uptr)1234567, record);
  munmap(stack_and_more + STACK, ABOVE);
  for (uptr at = (uptr)stack_and_more + STACK - 8; at < (uptr)stack_and_more + STACK + ABOVE - 16; at += 4096) {
    record[0] = at;
    assert_int_equal(copse_stack_frames(copse_stack_capture((void *)(uptr)1234567, record), frames), 1);
  }
  fiber_stack = outermost();
}
static void *above_is_gone_in_a_thread(void *unused) {
  (void)unused;
  above_is_gone();
  return NULL;
}

static void run_on_a_thread(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  assert_int_equal(pthread_attr_setstack(&attributes, stack_and_more, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attributes, above_is_gone_in_a_thread, NULL), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
}

static void run_on_a_fiber(void) {
  CHECK(getcontext(&fiber_context) == 0);
  fiber_context.uc_stack.ss_sp = stack_and_more;
  fiber_context.uc_stack.ss_size = STACK;
  fiber_context.uc_link = &main_context;
  makecontext(&fiber_context, above_is_gone, 0);
  CHECK(swapcontext(&main_context, &fiber_context) == 0);
}

static void *run_below(void *unused) {
  run_on_a_fiber();
  return unused;
}

/* What lies above the fiber's stack, and goes, is all that parts it from the thread's. */
static char *map_two(void) { return mmap(NULL, 2 * STACK + ABOVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void run_on_a_fiber_below_a_thread(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  char *stack = stack_and_more + STACK + ABOVE;
  pthread_attr_init(&attributes);
  assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attributes, run_below, NULL), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  munmap(stack, STACK);
}

static void look_above(char *place, void (*run)(void)) {
  stack_and_more = place;
  fiber_stack = 0;
  run();
  assert_true(frame_is(fiber_stack, 2, "above_is_gone"));
  munmap(place, STACK);
}

static void test_what_was_above_a_stack(void **state) {
  (void)state;
  look_above(map_stack(), run_on_a_thread);
  look_above(map_stack(), run_on_a_fiber);
  look_above(below_the_first, run_on_a_fiber);
  if (!UNDER_VALGRIND) look_above(map_two(), run_on_a_fiber_below_a_thread); /* which takes two stacks so close for one */
}

static u32 from_threads[4][300];
static void *many(void *argument) {
  for (unsigned i = 0; i < 300; i++) from_threads[(uptr)argument][i] = deep(i % 30);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  pthread_t threads[4];
  for (uptr i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, many, (void *)i), 0);
  for (unsigned i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  for (unsigned t = 0; t < 4; t++)
    for (unsigned i = 0; i < 300; i++) {
      uptr frames[STACK_FRAMES], other[STACK_FRAMES];
      unsigned n = copse_stack_frames(from_threads[t][i], frames);
      assert_true(n > i % 30);
      /* Whichever number a thread got: the same stack. */
      assert_int_equal(copse_stack_frames(from_threads[0][i], other), n);
      assert_memory_equal(frames, other, (i % 30 + 1) * sizeof(uptr));
    }
}

static void test_refused(void **state) {
  (void)state;
  vm_faults_install();
  vm_faults_fail_from(VM_MPROTECT, 1);
  assert_int_equal(outermost(), 0);
  vm_faults_fail_none();
  assert_int_not_equal(outermost(), 0);
}

static void test_start_refused(void **state) {
  (void)state;
  core_down();
  core_up((u64)1 << 32);
  vm_faults_install();
  vm_faults_fail_from(VM_MPROTECT, 1);
  copse_stack_start();
  vm_faults_fail_none();
  assert_int_equal(outermost(), 0);
}

/* In a small reservation the depot is small: full, it says 0, and still finds what it has. */
static void test_full(void **state) {
  (void)state;
  core_down();
  core_up((u64)1 << 28); /* 4 MB of copse's own, 512 KB of them for stacks */
  copse_stack_start();
  u32 first = 0, stack = 0;
  uptr frame[2] __attribute__((aligned(16))) = {0, 0};
  u64 kept = 0;
  for (uptr pc = 100000; pc < 200000; pc++) {
    stack = copse_stack_capture((void *)pc, frame);
    if (pc == 100000) first = stack;
    kept += stack != 0;
  }
  assert_true(kept > 10000 && kept < 99999 && stack == 0);
  assert_int_equal(copse_stack_capture((void *)(uptr)100000, frame), first);
}

static int print_it(void *stack) {
  copse_stack_print(STDERR_FILENO, *(u32 *)stack);
  copse_stack_print(STDERR_FILENO, 0);
  return 0;
}

static void test_printed(void **state) {
  (void)state;
  char said[8000];
  u32 stack = outermost();
  assert_int_equal(in_child_saying(print_it, &stack, said, sizeof said), 0);
  assert_memory_equal(said, "    #0 0x", 9);
  char *second = strstr(said, "\n    #1 0x");
  assert_non_null(frame_place(said, "middle", "test_stack", "core"));
  assert_non_null(second);
  assert_non_null(frame_place(second, "outermost", "test_stack", "core"));
  assert_non_null(strstr(second, "\n    #2 0x"));
  assert_non_null(strstr(second, "\n    (no stack was kept)\n"));
}

/* Other modules by what they export, and what is no code by nothing. */
static void test_symbols(void **state) {
  (void)state;
  char text[300];
  copse_symbol_describe((uptr)&abort + 1, text, sizeof text);
  assert_memory_equal(text, "abort (", 7);
  assert_non_null(strstr(text, "+0x"));
  copse_symbol_describe(12345, text, sizeof text);
  assert_string_equal(text, "");
  copse_symbol_describe(1, text, sizeof text);
  assert_string_equal(text, "");
}

int main(void) {
  below_the_first = map_stack(); /* where nothing else was mapped since */
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_names_the_callers, up, down),
    cmocka_unit_test_setup_teardown(test_each_is_kept_once, up, down),
    cmocka_unit_test_setup_teardown(test_no_more_frames_than_there_is_room_for, up, down),
    cmocka_unit_test_setup_teardown(test_none_where_the_parameter_says_so, up, down),
    cmocka_unit_test_setup_teardown(test_a_walk_ends_at_garbage, up, down),
    cmocka_unit_test_setup_teardown(test_fibers, up, down),
    cmocka_unit_test_setup_teardown(test_what_was_above_a_stack, up, down),
    cmocka_unit_test_setup_teardown(test_threads, up, down),
    cmocka_unit_test_setup_teardown(test_refused, up, down),
    cmocka_unit_test_setup_teardown(test_start_refused, up, down),
    cmocka_unit_test_setup_teardown(test_full, up, down),
    cmocka_unit_test_setup_teardown(test_printed, up, down),
    cmocka_unit_test_setup_teardown(test_symbols, up, down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
  puts("1..0 # SKIP release keeps no stacks");
  return 0;
}

#endif
