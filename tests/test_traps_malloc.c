/* SPDX-License-Identifier: MIT */
/*
 * Trap 9: the allocator calling malloc.  This program's malloc tells whether it is called from within the library; the only
 * reason is pthread_setspecific in a process of many keys, and then it may be the library that serves it.
 */
#include "balance.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

#if defined(__GLIBC__) && !UNDER_SANITIZER
#define OWN_MALLOC 1

/*
 * What the program and the C library want of their own comes from here, and is not given back.  Nothing of the C library's
 * allocator is called: libc.a has it in one object, which would bring a second malloc.
 */
enum { HEAP = 16 << 20, LINE = 16 };
static _Alignas(LINE) char heap[HEAP];
static size_t heap_used;

static void *heap_alloc(size_t size) {
  if (size > HEAP) return NULL;
  size_t all = LINE + ((size + LINE - 1) & ~(size_t)(LINE - 1));
  size_t at = __atomic_fetch_add(&heap_used, all, __ATOMIC_RELAXED);
  if (at + all > HEAP) return NULL;
  *(size_t *)(heap + at) = size;
  return heap + at + LINE;
}
static size_t heap_size(const void *p) { return *(const size_t *)((const char *)p - LINE); }

/* In a call of copse's; and whether what it wants is to come from copse. */
static __thread volatile int inside __attribute__((tls_model("initial-exec")));
static bool served_by_copse;
static unsigned calls, frees;

/* The C library's own calls must find them. */
#define EXPORTED __attribute__((visibility("default")))

static bool ours(const void *p) { return copse_started() && region_of(p) < region_own(); }

EXPORTED void *malloc(size_t size) {
  if (!inside) return heap_alloc(size);
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  return served_by_copse ? copse_alloc(size) : heap_alloc(size);
}
EXPORTED void *calloc(size_t n, size_t size) {
  if (n && size > SIZE_MAX / n) return NULL;
  if (!inside) return heap_alloc(n * size);
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  return served_by_copse ? copse_alloc_zeroed(n * size) : heap_alloc(n * size);
}
EXPORTED void *realloc(void *p, size_t size) {
  if (inside) __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  void *moved = heap_alloc(size);
  if (p && moved) memcpy(moved, p, heap_size(p) < size ? heap_size(p) : size);
  return moved;
}
EXPORTED void free(void *p) {
  if (p && ours(p)) {
    __atomic_fetch_add(&frees, 1, __ATOMIC_RELAXED);
    copse_free_unsized(p);
  }
}

/* Every function, so that each way through the library is gone. */
static void everything(void) {
  static const size_t sizes[] = {1, 100, 5000, 70000, 1 << 20, 3 << 20};
  void *p[100];
  char text[100];
  struct copse_stats stats;
  uint64_t value;
  inside++;
  for (unsigned i = 0; i < 6; i++) {
    size_t n = sizes[i] > 5000 ? 5 : 100;
    CHECK(copse_alloc_batch(sizes[i], n, p) == n);
    p[0] = copse_realloc(p[0], sizes[i], 2 * sizes[i]);
    copse_free_unsized(p[0]);
    copse_free_batch(sizes[i], n - 1, p + 1);
    copse_free(copse_alloc_zeroed(sizes[i]), sizes[i]);
    copse_free_aligned(copse_alloc_aligned(sizes[i], 8192), sizes[i], 8192);
  }
  CHECK(copse_tune_get("limit", &value) == 0 && copse_tune_set("limit", 1 << 20) == 0);
  CHECK(!copse_alloc(10 << 20) && errno == ENOMEM);
  CHECK(copse_tune_set("limit", value) == 0);
  copse_stats(&stats);
  CHECK(copse_stats_json(text, sizeof text) > 100);
  copse_checkpoint();
  copse_thread_flush();
  copse_trim();
  (void)copse_trim_pending();
  inside--;
}

static void *in_thread(void *unused) {
  everything();
  return unused;
}

static void threads_do_everything(unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0);
    pthread_join(thread, NULL);
  }
}

FRESH(trap_9_the_library_calls_no_malloc) {
  everything();
  threads_do_everything(10);
  CHECK(calls == 0);
  balance_empty();
  figure("calls of malloc from within the library", "%u", calls);
}

FRESH(trap_9_with_many_keys_it_may_serve_itself) {
  pthread_key_t key;
  for (unsigned i = 0; i < 40; i++) CHECK(pthread_key_create(&key, NULL) == 0);
  served_by_copse = true;
  everything();
  threads_do_everything(20);
  CHECK(calls >= 21 && calls <= 42 && frees >= 20); /* once a thread, and given back at its end */
  struct copse_stats stats;
  copse_stats(&stats);
  CHECK(stats.threads == 1);
  figure("calls of malloc with 40 keys, served by the library itself", "%u in 21 threads, %u given back", calls, frees);
}

/* The counter does count. */
FRESH(trap_9_would_be_seen) {
  void *(*volatile call)(size_t) = malloc; /* or the compiler knows what it does */
  inside = 1;
  void *p = call(10);
  inside = 0;
  free(p);
  CHECK(calls == 1);
}
#else
#define OWN_MALLOC 0
#endif

int main(void) {
#if OWN_MALLOC
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(trap_9_would_be_seen),
    cmocka_unit_test(trap_9_the_library_calls_no_malloc),
    cmocka_unit_test(trap_9_with_many_keys_it_may_serve_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
#else
  printf("1..0 # SKIP malloc cannot be replaced here\n");
  return 0;
#endif
}
