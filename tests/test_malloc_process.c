/* SPDX-License-Identifier: MIT */
/*
 * The drop-in where a program's life is unusual: before constructors, in threads that end, in destructors of their
 * data, in exit handlers, across fork and vfork, and in objects that are loaded and unloaded.
 *
 * Assertions are made by the main thread only: cmocka leaves a failed test by longjmp.
 */
#include "resident.h"
#include "test_malloc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

extern char **environ;

/* ------------------------------------------------------------------ before constructors */

enum { EARLY = 200 };

static unsigned char *early[EARLY];
static int early_constructors; /* how many constructors had run before: none */
static int constructors;

__attribute__((constructor(101))) static void count_constructor(void) { constructors++; }

static void allocate_early(void) {
  early_constructors = constructors;
  for (unsigned i = 0; i < EARLY; i++) {
    early[i] = hide(i % 2 ? malloc(i * 11) : calloc(i * 11, 1));
    if (early[i]) fill(early[i], i * 11, i);
    if (i % 5 == 4) early[i] = hide(realloc(early[i], i * 20));
  }
}

/* The dynamic linker calls these before any constructor of any library. */
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = allocate_early;

static void test_before_constructors(void **state) {
  (void)state;
  assert_int_equal(early_constructors, 0);
  assert_int_equal(constructors, 1);
  for (unsigned i = 0; i < EARLY; i++) {
    assert_non_null(early[i]);
    assert_filled(early[i], i * 11, i);
    free(early[i]);
  }
}

/* ------------------------------------------------------------------ threads that end */

enum { OBJECTS = 3000, THREADS = 8 };

static size_t size_of(size_t i) { return i % 50 == 49 ? 100000 + i : (i * 37) % 3000; }

/* Both ends of an object, so that many can be had in short time. */
static void mark(unsigned char *ptr, size_t i) {
  size_t size = size_of(i), end = size < 64 ? size : 64;
  fill(ptr, end, i);
  fill(ptr + size - end, end, i);
}

static bool is_marked(const unsigned char *ptr, size_t i) {
  size_t size = size_of(i), end = size < 64 ? size : 64;
  return is_filled(ptr + size - end, end, i) && (size < 128 || is_filled(ptr, end, i));
}

static void *thread_leaves_objects(void *arg) {
  unsigned char **object = arg;
  for (size_t i = 0; i < OBJECTS; i++) {
    void *more = hide(malloc(size_of(i + 1)));
    object[i] = hide(malloc(size_of(i)));
    if (object[i]) mark(object[i], i);
    free(more);
  }
  return NULL;
}

/* What ended threads left behind stays, is freed by others, and comes again. */
static void test_threads_end_with_live_memory(void **state) {
  (void)state;
  for (unsigned round = 0; round < 10; round++) {
    pthread_t thread[THREADS];
    unsigned char **object[THREADS];
    for (unsigned t = 0; t < THREADS; t++) {
      object[t] = calloc(OBJECTS, sizeof **object);
      assert_int_equal(pthread_create(&thread[t], NULL, thread_leaves_objects, object[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (unsigned t = 0; t < THREADS; t++) {
      for (size_t i = 0; i < OBJECTS; i++) {
        assert_non_null(object[t][i]);
        assert_true(is_marked(object[t][i], i));
      }
    }
    for (unsigned t = 0; t < THREADS; t++) {
      for (size_t i = 0; i < OBJECTS; i++) free(object[t][i]);
      free(object[t]);
    }
  }
}

/* A key whose destructor frees, allocates, and sets itself again, to run in every round that POSIX grants and more. */
static pthread_key_t late_key;
static tss_t late_tss;
static atomic_uint late_runs, late_errors;

static void late(void *value) {
  unsigned char *block = value;
  if (!is_filled(block, 300, 4)) atomic_fetch_add(&late_errors, 1);
  free(block);
  void *some[40];
  for (unsigned i = 0; i < 40; i++) some[i] = hide(malloc(size_of(i)));
  for (unsigned i = 0; i < 40; i++) free(some[i]);
  unsigned char *next = hide(malloc(300));
  fill(next, 300, 4);
  if (atomic_fetch_add(&late_runs, 1) % 16 < 15) {
    pthread_setspecific(late_key, next); /* lost after the last round: the thread leaves it live */
  } else {
    free(next);
  }
}

static void late_free(void *value) { free(value); }

static void *thread_with_late_destructor(void *arg) {
  (void)arg;
  unsigned char *block = hide(malloc(300));
  fill(block, 300, 4);
  pthread_setspecific(late_key, block);
  tss_set(late_tss, hide(malloc(5000)));
  return hide(malloc(64));
}

static void test_thread_data_destructors(void **state) {
  (void)state;
  assert_int_equal(pthread_key_create(&late_key, late), 0);
  assert_int_equal(tss_create(&late_tss, late_free), thrd_success);
  for (unsigned i = 0; i < 200; i++) {
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, thread_with_late_destructor, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    free(result);
  }
  assert_true(atomic_load(&late_runs) >= 200);
  assert_int_equal(atomic_load(&late_errors), 0);
  pthread_key_delete(late_key);
  tss_delete(late_tss);
}

/* ------------------------------------------------------------------ fork, vfork, spawn */

static atomic_bool stop;
static atomic_uint churn_errors;
static atomic_ulong churned;

static void *thread_churns(void *arg) {
  enum { SLOTS = 512 };
  static _Thread_local struct {
    unsigned char *ptr;
    size_t kind;
  } slot[SLOTS];
  unsigned x = (unsigned)(uintptr_t)arg * 2654435761u + 1;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    x = x * 1664525u + 1013904223u;
    unsigned i = x >> 20 & (SLOTS - 1);
    if (slot[i].ptr && !is_marked(slot[i].ptr, slot[i].kind)) atomic_fetch_add(&churn_errors, 1);
    free(slot[i].ptr);
    slot[i].kind = x >> 8 & 1023;
    slot[i].ptr = hide(malloc(size_of(slot[i].kind)));
    if (slot[i].ptr) mark(slot[i].ptr, slot[i].kind);
    atomic_fetch_add_explicit(&churned, 1, memory_order_relaxed);
  }
  for (unsigned i = 0; i < SLOTS; i++) free(slot[i].ptr);
  memset(slot, 0, sizeof slot);
  return NULL;
}

static void churn_start(pthread_t thread[], unsigned n) {
  atomic_store(&stop, false);
  for (unsigned t = 0; t < n; t++) {
    assert_int_equal(pthread_create(&thread[t], NULL, thread_churns, (void *)(uintptr_t)(t + 1)), 0);
  }
}

static void churn_stop(pthread_t thread[], unsigned n) {
  atomic_store(&stop, true);
  for (unsigned t = 0; t < n; t++) assert_int_equal(pthread_join(thread[t], NULL), 0);
  assert_int_equal(atomic_load(&churn_errors), 0);
}

static void *thread_in_child(void *arg) {
  (void)arg;
  free(hide(malloc(500)));
  return hide(malloc(500));
}

/* The child's life: the parent's memory is whole and can be freed, new memory comes, threads and children can be had.
 */
static int child_work(unsigned char *object[], unsigned deep) {
  unsigned char *mine[1000];
  for (size_t i = 0; i < 1000; i++) {
    if (!(mine[i] = hide(malloc(size_of(i))))) return 2;
    mark(mine[i], i);
  }
  for (size_t i = 0; i < OBJECTS; i++) {
    if (!is_marked(object[i], i)) return 3;
    free(object[i]);
  }
  for (size_t i = 0; i < 1000; i++) {
    if (!is_marked(mine[i], i)) return 4;
    free(mine[i]);
  }
  if (!deep) return 0;
  pthread_t thread;
  void *left;
  if (pthread_create(&thread, NULL, thread_in_child, NULL)) return 5;
  pthread_join(thread, &left);
  free(left);
  thread_leaves_objects(object);
  pid_t child = fork();
  int status = 1;
  if (!child) _exit(child_work(object, deep - 1));
  waitpid(child, &status, 0);
  return status ? 6 : 0;
}

static void test_fork_under_load(void **state) {
  (void)state;
  enum { LOAD = 3, FORKS = 200 };
  static unsigned char *object[OBJECTS];
  pthread_t thread[LOAD];
  thread_leaves_objects(object);
  churn_start(thread, LOAD);
  for (unsigned i = 0; i < FORKS; i++) {
    int status = -1;
    unsigned long before = atomic_load(&churned);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
      alarm(60); /* a child that waits for a thread that it does not have dies of this */
      _exit(child_work(object, i % 20 == 0 ? 2 : 0));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    while (atomic_load(&churned) == before) sched_yield();
  }
  churn_stop(thread, LOAD);
  for (size_t i = 0; i < OBJECTS; i++) assert_true(is_marked(object[i], i));
  for (size_t i = 0; i < OBJECTS; i++) free(object[i]);
}

static void test_vfork_and_spawn_under_load(void **state) {
  (void)state;
  pthread_t thread[2];
  churn_start(thread, 2);
  for (unsigned i = 0; i < 50; i++) {
    int status = -1;
    pid_t child = vfork();
    if (!child) {
      execl("/bin/true", "true", (char *)NULL);
      _exit(9);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    static char name[] = "true";
    char *const args[] = {name, NULL};
    assert_int_equal(posix_spawnp(&child, "true", NULL, NULL, args, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(hide(malloc(i * 100)));
  }
  churn_stop(thread, 2);
}

/* ------------------------------------------------------------------ exit handlers */

static unsigned char *for_exit[OBJECTS];
static pthread_key_t exit_key;

static void at_exit_first(void) {
  for (size_t i = 0; i < OBJECTS; i++) {
    if (!is_marked(for_exit[i], i)) _exit(21);
    free(for_exit[i]);
  }
  thread_leaves_objects(for_exit);
}

static void at_exit_last(void) {
  for (size_t i = 0; i < OBJECTS; i++) free(for_exit[i]);
}

/* After all exit handlers, in the program's destructors, and not yet done. */
__attribute__((destructor)) static void destructor(void) {
  void *some[100];
  for (size_t i = 0; i < 100; i++) some[i] = hide(malloc(size_of(i)));
  for (size_t i = 0; i < 100; i++) free(some[i]);
}

static int exit_program(void) {
  thread_leaves_objects(for_exit);
  pthread_key_create(&exit_key, late_free);
  pthread_setspecific(exit_key, hide(malloc(100)));
  atexit(at_exit_last);
  atexit(at_exit_first);
  exit(20);
}

/* In a program of its own, since exit runs cmocka's handlers too: this one, started again. */
static void test_exit_handlers(void **state) {
  (void)state;
  static char word[] = "exit";
  char *const args[] = {program_invocation_name, word, NULL};
  pid_t child;
  int status = -1;
  assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, args, environ), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 20);
}

/* ------------------------------------------------------------------ dlopen */

static char plugin[4200];

/* COPSE_TEST_PLUGIN, or beside this program, or where libtool's .libs is. */
static bool find_plugin(void) {
  const char *given = getenv("COPSE_TEST_PLUGIN");
  if (given) return snprintf(plugin, sizeof plugin, "%s", given) > 0;
  char self[4096];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return false;
  self[length] = 0;
  *strrchr(self, '/') = 0;
  static const char *const below[] = {"", "/.libs", "/.."};
  for (unsigned i = 0; i < 3; i++) {
    snprintf(plugin, sizeof plugin, "%s%s/malloc_plugin.so", self, below[i]);
    if (!access(plugin, R_OK)) return true;
  }
  return false;
}

/* NULL when all went well, else what did not. */
static const char *load_and_unload(void *kept[2]) {
  void *object = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
  if (!object) return dlerror();
  int (*sum)(void) = (int (*)(void))(uintptr_t)dlsym(object, "plugin_sum");
  void *(*make)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(object, "plugin_make");
  if (!sum || !make) return "no symbol";
  if (sum() != 0 || sum() != 1) return "plugin_sum is wrong";
  kept[0] = make(50);
  kept[1] = make(200000);
  return dlclose(object) ? dlerror() : NULL;
}

static void *thread_loads(void *arg) {
  const char **error = arg;
  for (unsigned i = 0; i < 50 && !*error; i++) {
    void *kept[2] = {NULL};
    /* Other threads may hold the object loaded, and then its calls count on: this thread's are its own. */
    *error = load_and_unload(kept);
    free(kept[0]);
    free(kept[1]);
  }
  return NULL;
}

static void test_dlopen(void **state) {
  (void)state;
  if (!find_plugin()) fail_msg("no malloc_plugin.so beside the program; COPSE_TEST_PLUGIN says where");
  for (unsigned i = 0; i < 100; i++) {
    void *kept[2] = {NULL};
    const char *error = load_and_unload(kept);
    if (error) fail_msg("%s", error);
    assert_true(is_zero(kept[0], 50));
    assert_true(is_zero(kept[1], 200000));
    free(kept[0]); /* its maker is gone */
    free(kept[1]);
  }
  pthread_t loader, load[2];
  const char *error = NULL;
  churn_start(load, 2);
  assert_int_equal(pthread_create(&loader, NULL, thread_loads, &error), 0);
  pthread_join(loader, NULL);
  churn_stop(load, 2);
  if (error) fail_msg("%s", error);
}

/* ------------------------------------------------------------------ one load, then another */

enum { LOAD = 24 << 20, LOAD_OBJECTS = LOAD / 200 };

/* Allocates LOAD bytes, and frees them.  Returns what was resident with them. */
static size_t load(void **object, size_t size) {
  size_t n = LOAD / size;
  for (size_t i = 0; i < n; i++) *(size_t *)(object[i] = hide(malloc(size))) = i;
  size_t most = resident();
  for (size_t i = 0; i < n; i++) free(object[i]);
  return most;
}

/* As a program of its own, whose heap is new: what one load freed does not add to what the next one needs. */
static int loads_program(void) {
  static void *object[LOAD_OBJECTS];
  size_t one = load(object, 200), other = load(object, 900);
  printf("# resident with one load, and with one after the other: %zu and %zu KB\n", one >> 10, other >> 10);
  return one > LOAD && other < one + LOAD / 4 ? 0 : 1;
}

static void test_one_load_then_another(void **state) {
  (void)state;
  if (any_malloc()) skip();
  fflush(stdout);
  char *argv[] = {"test_malloc_process", "loads", NULL};
  pid_t child;
  int status;
  assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

int main(int argc, char *argv[]) {
  if (argc > 1 && !strcmp(argv[1], "exit")) return exit_program();
  if (argc > 1 && !strcmp(argv[1], "loads")) return loads_program();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_before_constructors),
      cmocka_unit_test(test_threads_end_with_live_memory),
      cmocka_unit_test(test_thread_data_destructors),
      cmocka_unit_test(test_fork_under_load),
      cmocka_unit_test(test_vfork_and_spawn_under_load),
      cmocka_unit_test(test_exit_handlers),
      cmocka_unit_test(test_dlopen),
      cmocka_unit_test(test_one_load_then_another),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
