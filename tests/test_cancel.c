/* SPDX-License-Identifier: MIT */
/* Threads that are to be cancelled: not inside copse, where a lock or a block would stay in their hands. */
#include "balance.h"
#include "check.h"
#include "copse.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static bool got_through;

static void on_misuse(const struct copse_misuse *misuse, void *context) {
  (void)misuse;
  ++*(unsigned *)context;
}

/* What a thread does that has a cancellation pending all the while. */
static void *cancelled_in(void *what) {
  CHECK(pthread_cancel(pthread_self()) == 0);
  ((void (*)(void))(uptr)what)();
  got_through = true;
  pthread_testcancel();
  return NULL;
}

static void in_a_thread(void (*what)(void)) {
  pthread_t thread;
  void *result;
  got_through = false;
  CHECK(pthread_create(&thread, NULL, cancelled_in, (void *)(uptr)what) == 0);
  CHECK(pthread_join(thread, &result) == 0);
  CHECK(got_through && result == PTHREAD_CANCELED);
}

static void allocates(void) {
  void *p = copse_alloc(100);
  CHECK(p);
  copse_free(p, 100);
}

/* The process's first call reads what the kernel says of itself. */
FRESH(the_first_call) {
  in_a_thread(allocates);
  void *p = copse_alloc(100);
  CHECK(p);
  copse_free(p, 100);
  balance_empty();
}

static void does_all(void) {
  struct copse_stats stats;
  uint64_t value;
  void *out[10];
  char text[100];
  void *p = copse_alloc(70000);
  CHECK(p && (p = copse_realloc(p, 70000, 5 << 20)) && (p = copse_realloc(p, 5 << 20, 9 << 20)));
  copse_free(p, 9 << 20);
  CHECK((p = copse_alloc_zeroed(100)));
  copse_free_unsized(p);
  CHECK((p = copse_alloc_aligned(100, 4096)));
  copse_free_aligned(p, 100, 4096);
  CHECK(copse_alloc_batch(50, 10, out) == 10);
  copse_free_batch(50, 10, out);
  copse_checkpoint();
  copse_thread_flush();
  copse_trim();
  copse_stats(&stats);
  copse_stats_json(text, sizeof text);
  CHECK(copse_tune_get("limit", &value) == 0 && copse_tune_set("limit", value) == 0);
}

FRESH(any_call) {
  void *p = copse_alloc(100);
  in_a_thread(does_all);
  copse_free(p, 100);
  balance_empty();
}

static int nowhere;
static void writes(void) { CHECK(copse_heap_write(nowhere) == 0); }

FRESH(the_heap_as_text) {
  void *p = copse_alloc(100);
  CHECK((nowhere = open("/dev/null", O_WRONLY)) >= 0);
  in_a_thread(writes);
  close(nowhere);
  copse_free(p, 100);
  balance_empty();
}

static char *block;
static void misuses(void) {
  char *volatile inner = block + 1; /* a compiler knows what a free means */
  copse_free(block, 99);
  copse_free_unsized(inner);
}

FRESH(a_report) {
  unsigned found = 0;
  if (!INSTRUMENTED) {
    left_out("release finds nothing");
    return;
  }
  copse_on_misuse(on_misuse, &found);
  CHECK((block = copse_alloc(100)));
  in_a_thread(misuses);
  CHECK(found == 2);
  copse_free(block, 100);
  balance_empty();
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_call),
    cmocka_unit_test(any_call),
    cmocka_unit_test(the_heap_as_text),
    cmocka_unit_test(a_report),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
