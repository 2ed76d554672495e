/* SPDX-License-Identifier: MIT */
/* What copse.h says beside allocating and freeing: before the first call, threads, giving memory back, statistics, version. */
#include "balance.h"
#include "random.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Everything that needs no allocation may be called first. */
FRESH(all_is_quiet_before_the_first_allocation) {
  struct copse_stats stats;
  memset(&stats, 0xFF, sizeof stats);
  errno = 4711;
  CHECK(copse_trim() == 0 && copse_trim_pending() == 0);
  copse_checkpoint();
  copse_thread_flush();
  copse_stats(&stats);
  CHECK(stats.reserved == 0 && stats.threads == 0 && stats.classes[3].blocks == 0 && stats.system_calls == 0);
  CHECK(copse_good_size(100) == (INSTRUMENTED ? 100 : 112) && copse_good_size(1) == (INSTRUMENTED ? 1 : 16));
  CHECK(errno == 4711);
}

/* ---- threads: "every function may be called from any thread at any time" ---- */

enum { THREADS = 4, SLOTS = 512 };
static _Atomic(void *) shelf[SLOTS]; /* objects that wait for whichever thread comes by */

struct object {
  size_t size;
  uint64_t seal;
};

static void put_seal(struct object *o, size_t size) {
  o->size = size;
  o->seal = (uintptr_t)o ^ size;
  memset(o + 1, (int)(size & 255), size - sizeof *o);
}
static void check_seal(const struct object *o) {
  CHECK(o->seal == ((uintptr_t)o ^ o->size));
  const unsigned char *bytes = (const void *)(o + 1);
  for (size_t i = 0; i < o->size - sizeof *o; i += 61) CHECK(bytes[i] == (unsigned char)o->size);
}

static void *any_call(void *argument) {
  uint64_t seed = (uintptr_t)argument + 1;
  for (int i = 0; i < LESS(150000); i++) {
    size_t size = 16 + random_below(&seed, (size_t)16 << random_below(&seed, i % 64 ? 8 : 16));
    struct object *o = i % 3 ? copse_alloc(size) : copse_alloc_zeroed(size);
    CHECK(o);
    put_seal(o, size);
    if (i % 7 == 0) {
      size_t to = 16 + random_below(&seed, 4000);
      CHECK((o = copse_realloc(o, size, to)));
      put_seal(o, to);
    }
    o = atomic_exchange(&shelf[random_below(&seed, SLOTS)], o);
    if (o) {
      check_seal(o);
      i & 1 ? copse_free(o, o->size) : copse_free_unsized(o);
    }
    if (i % 64 == 0) copse_checkpoint();
    if (i % 16384 == 5) copse_trim();
    if (i % 8192 == 7) copse_thread_flush();
    if (i % 32768 == 9) {
      struct copse_stats stats;
      copse_stats(&stats);
      CHECK(stats.threads >= 1 && stats.threads <= THREADS + 1);
      (void)copse_trim_pending();
    }
  }
  return NULL;
}

FRESH(any_function_from_any_thread) {
  pthread_t thread[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, any_call, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  struct live live = {{0}};
  for (int i = 0; i < SLOTS; i++)
    if (shelf[i]) live_add(&live, shelf[i]);
  balance(&live);
  for (int i = 0; i < SLOTS; i++)
    if (shelf[i]) {
      check_seal(shelf[i]);
      copse_free(shelf[i], ((struct object *)shelf[i])->size);
    }
  balance_empty();
}

/* Threads come and go: their caches are used again, and what they leave is not lost. */
static void *short_life(void *unused) {
  void *p[100];
  CHECK(copse_alloc_batch(200, 100, p) == 100);
  copse_free_batch(200, 100, p);
  return unused;
}

FRESH(a_thousand_threads_leave_nothing) {
  copse_tune_set("quarantine", 0); /* the instrumented library's: it would fill up meanwhile */
  struct copse_stats early, late;
  for (int i = 0; i < LESS(1000); i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, short_life, NULL) == 0);
    pthread_join(thread, NULL);
    if (i == 10) copse_stats(&early);
  }
  copse_stats(&late);
  CHECK(late.threads == 0 && late.metadata == early.metadata && late.in_use == early.in_use);
  balance_empty();
  figure("bytes of copse's own after the last of them", "%llu", (unsigned long long)late.metadata);
}

/* ---- giving memory back ---- */

FRESH(trim_gives_back_what_is_free) {
  enum { N = 100000 };
  static void *p[N];
  for (int i = 0; i < N; i++) memset(p[i] = copse_alloc(256), 1, 256);
  struct copse_stats full, after;
  copse_stats(&full);
  copse_free_batch(256, N, p);
  size_t bytes = copse_trim();
  copse_stats(&after);
  CHECK(bytes >= (size_t)N * 256 && after.decommitted - full.decommitted == bytes);
  CHECK(after.generation == full.generation + 1);
  CHECK(after.in_use + (size_t)N * 256 <= full.in_use + (1 << 20));
  CHECK(copse_trim() == 0); /* nothing is left to give */
  for (int i = 0; i < N; i++) {
    unsigned char *q = copse_alloc(256);
    CHECK(q);
    memset(q, 2, 256);
    p[i] = q;
  }
  copse_free_batch(256, N, p);
  balance_empty();
  figure("of 25,600,000 freed bytes given back", "%zu", bytes);
}

/* "asks the other threads to flush theirs", "if another thread asked for a trim, flushes this thread's cache" */
static atomic_int stage;
static void reach(int s) {
  while (atomic_load(&stage) < s) usleep(100);
}

static void *holder(void *unused) {
  void *p[200];
  CHECK(copse_alloc_batch(64, 200, p) == 200);
  copse_free_batch(64, 200, p);
  atomic_store(&stage, 1);
  reach(2);
  copse_checkpoint();
  atomic_store(&stage, 3);
  reach(4);
  return unused;
}

FRESH(pending_counts_threads_that_have_not_followed) {
  copse_tune_set("quarantine", 0); /* as above */
  pthread_t thread;
  struct copse_stats stats;
  CHECK(pthread_create(&thread, NULL, holder, NULL) == 0);
  reach(1);
  CHECK(copse_trim_pending() == 0);
  copse_trim();
  copse_stats(&stats);
  CHECK(copse_trim_pending() == 1 && stats.classes[class_of_request(64)].cached > 0);
  atomic_store(&stage, 2);
  reach(3);
  copse_stats(&stats);
  CHECK(copse_trim_pending() == 0 && stats.classes[class_of_request(64)].cached == 0);
  copse_trim();
  CHECK(copse_trim_pending() == 0); /* a thread that holds nothing has nothing to follow with */
  atomic_store(&stage, 4);
  pthread_join(thread, NULL);
  balance_empty();
}

FRESH(thread_flush_empties_the_calling_threads_cache) {
  copse_tune_set("quarantine", 0); /* as above */
  void *p[500];
  struct copse_stats stats;
  CHECK(copse_alloc_batch(48, 500, p) == 500);
  copse_free_batch(48, 500, p);
  copse_stats(&stats);
  uint64_t cached = stats.classes[class_of_request(48)].cached;
  CHECK(cached >= 64);
  copse_thread_flush();
  copse_stats(&stats);
  CHECK(stats.classes[class_of_request(48)].cached <= cached - 64);
  balance_empty();
}

/* ---- statistics ---- */

FRESH(statistics_say_what_was_done) {
  struct copse_stats stats;
  void *span = copse_alloc(5 << 20), *small = copse_alloc(100);
  copse_stats(&stats);
  CHECK(stats.page_size == (uint64_t)sysconf(_SC_PAGESIZE) && stats.threads == 1);
  CHECK(stats.reserved >= (uint64_t)1 << 27 && stats.metadata > 0 && stats.system_calls > 0);
  CHECK(stats.spans == 1 && stats.span_bytes >= 5 << 20 && stats.span_cached == 0 && stats.refills == 1);
  CHECK(stats.in_use >= (5 << 20) + 100 && stats.committed >= stats.in_use);
  for (unsigned i = 0; i < COPSE_CLASSES; i++) CHECK(stats.classes[i].size == class_size(i));
  copse_free(span, 5 << 20);
  copse_free(small, 100);
  copse_stats(&stats);
  if (INSTRUMENTED) {
    CHECK(stats.spans == 1 && stats.span_bytes >= 5 << 20); /* in quarantine, which always holds the newest */
    CHECK(stats.classes[class_of_request(100)].quarantined == 1);
    copse_trim();
    copse_stats(&stats);
    CHECK(stats.spans == 0 && stats.span_bytes == 0 && stats.classes[class_of_request(100)].quarantined == 0);
  } else {
    CHECK(stats.spans == 0 && stats.span_bytes == 0 && stats.span_cached >= 5 << 20);
    CHECK(stats.classes[class_of_request(100)].quarantined == 0);
  }
  balance_empty();
}

/* Whether the text is one JSON value of objects, arrays, names and numbers: returns what is behind it, or NULL. */
static const char *json(const char *at) {
  at += strspn(at, " ");
  if (*at == '{' || *at == '[') {
    char open = *at++, shut = open == '{' ? '}' : ']';
    for (bool first = true; *(at += strspn(at, " ")) != shut; first = false) {
      if (!first && *at++ != ',') return NULL;
      if (open == '{') {
        at += strspn(at, " ");
        if (*at++ != '"' || !(at = strchr(at, '"')) || *++at != ':') return NULL;
        at++;
      }
      if (!(at = json(at))) return NULL;
    }
    return at + 1;
  }
  size_t digits = strspn(at, "0123456789");
  return digits ? at + digits : NULL;
}

static uint64_t number(const char *text, const char *name) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\": ", name);
  const char *at = strstr(text, quoted);
  CHECK(at);
  return strtoull(at + strlen(quoted), NULL, 10);
}

FRESH(statistics_as_json) {
  static char text[65536], cut[65536];
  CHECK(copse_stats_json(NULL, 0) > 100);
  void *p = copse_alloc(1 << 20), *q = copse_alloc(9 << 20);
  size_t length = copse_stats_json(text, sizeof text);
  CHECK(length < sizeof text && strlen(text) == length && copse_stats_json(NULL, 0) == length);
  const char *end = json(text);
  CHECK(end && *end == 0);
  struct copse_stats stats;
  copse_stats(&stats);
  CHECK(number(text, "page_size") == stats.page_size && number(text, "span_bytes") == stats.span_bytes);
  CHECK(number(text, "huge_2m_fallbacks") == stats.huge_2m_fallbacks && number(text, "in_use") == stats.in_use);
  size_t classes = 0;
  for (const char *at = text; (at = strstr(at, "\"size\"")); at++) classes++;
  CHECK(classes == COPSE_CLASSES);
  /* As snprintf(3) would: cut, with a NUL, and the whole length. */
  for (size_t size = 1; size < length + 2; size += size < 40 ? 1 : 997) {
    memset(cut, '#', sizeof cut);
    CHECK(copse_stats_json(cut, size) == length);
    size_t kept = size - 1 < length ? size - 1 : length;
    CHECK(strlen(cut) == kept && memcmp(cut, text, kept) == 0 && cut[kept + 1] == '#');
  }
  copse_free(p, 1 << 20);
  copse_free(q, 9 << 20);
}

/* ---- the version ---- */

FRESH(version_is_that_of_the_header) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "%d.%d.%d%s", COPSE_VERSION_MAJOR, COPSE_VERSION_MINOR, COPSE_VERSION_PATCH,
           INSTRUMENTED ? " instrumented" : "");
  CHECK(strcmp(copse_version(), wanted) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_is_quiet_before_the_first_allocation),
    cmocka_unit_test(any_function_from_any_thread),
    cmocka_unit_test(a_thousand_threads_leave_nothing),
    cmocka_unit_test(trim_gives_back_what_is_free),
    cmocka_unit_test(pending_counts_threads_that_have_not_followed),
    cmocka_unit_test(thread_flush_empties_the_calling_threads_cache),
    cmocka_unit_test(statistics_say_what_was_done),
    cmocka_unit_test(statistics_as_json),
    cmocka_unit_test(version_is_that_of_the_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
