/* SPDX-License-Identifier: MIT */
/* libcopse.so, loaded by a program that does not link it, by threads that were there before; closed, and opened again. */
#include "process.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Nothing of the library may be named here, or the static one would be linked in. */
struct functions {
  void *(*alloc)(size_t);
  void (*free)(void *, size_t);
  void (*free_unsized)(void *);
  void *(*realloc)(void *, size_t, size_t);
  size_t (*trim)(void);
  size_t (*stats_json)(char *, size_t);
  const char *(*version)(void);
};

static char library[4096];

static void *load(struct functions *f) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) fprintf(stderr, "%s\n", dlerror());
  CHECK(handle);
  static const char *const names[] = {"copse_alloc", "copse_free",       "copse_free_unsized", "copse_realloc",
                                      "copse_trim",  "copse_stats_json", "copse_version"};
  void *found[7];
  for (unsigned i = 0; i < 7; i++) CHECK((found[i] = dlsym(handle, names[i])));
  memcpy(f, found, sizeof *f);
  return handle;
}

static void use(const struct functions *f, unsigned seed) {
  enum { N = 3000 };
  void *p[N];
  for (unsigned i = 0; i < N; i++) {
    size_t size = (i * 37 + seed) % 3000 + 1;
    CHECK((p[i] = f->alloc(size)));
    memset(p[i], (int)i, size);
  }
  for (unsigned i = 0; i < N; i++) {
    CHECK(*(unsigned char *)p[i] == (unsigned char)i);
    i & 1 ? f->free(p[i], (i * 37 + seed) % 3000 + 1) : f->free_unsized(p[i]);
  }
  char *large = f->alloc(3 << 20);
  CHECK(large && (large = f->realloc(large, 3 << 20, 9 << 20)));
  large[(9 << 20) - 1] = 1;
  f->free(large, 9 << 20);
}

static struct functions functions;
static pthread_barrier_t barrier;

/* There before the library is. */
static void *early(void *argument) {
  pthread_barrier_wait(&barrier);
  use(&functions, (unsigned)(uintptr_t)argument);
  pthread_barrier_wait(&barrier);
  /* Closed by now: what it still holds is as good, and its exit runs the library's destructor. */
  use(&functions, 5);
  return NULL;
}

FRESH(loaded_used_closed_and_used) {
  CHECK(!dlsym(RTLD_DEFAULT, "copse_alloc")); /* not linked */
  pthread_t threads[3];
  CHECK(pthread_barrier_init(&barrier, NULL, 4) == 0);
  for (uintptr_t i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, early, (void *)i) == 0);
  void *handle = load(&functions);
  pthread_barrier_wait(&barrier);
  use(&functions, 9);
  void *kept = functions.alloc(100);
  memset(kept, 7, 100);
  pthread_barrier_wait(&barrier);
  CHECK(dlclose(handle) == 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  /* It stays for ever: objects and threads outlast a dlclose. */
  CHECK(*(char *)kept == 7);
  struct functions again;
  load(&again);
  CHECK(again.alloc == functions.alloc);
  again.free(kept, 100);
  use(&again, 3);
  char text[16];
  CHECK(again.stats_json(text, sizeof text) > sizeof text && text[0] == '{');
  again.trim();
  figure("loaded by dlopen", "%s, %s", strrchr(library, '/') + 1, again.version());
}

/* All handles are of one library. */
FRESH(opened_many_times) {
  struct functions f[20];
  void *handle[20];
  for (int i = 0; i < 20; i++) handle[i] = load(&f[i]);
  void *p = f[0].alloc(10);
  f[19].free(p, 10);
  for (int i = 0; i < 20; i++) CHECK(dlclose(handle[i]) == 0);
  use(&f[7], 1);
}

int main(void) {
  const char *build = getenv("top_builddir"), *shared = getenv("COPSE_SHARED");
  snprintf(library, sizeof library, "%s/lib/.libs/libcopse%s.so", build ? build : ".",
#ifdef COPSE_INSTRUMENTED
           "-instrumented"
#else
           ""
#endif
  );
  bool there = access(library, R_OK) == 0;
  if (!there && shared && strcmp(shared, "no") != 0) {
    fprintf(stderr, "no %s\n", library);
    return 1;
  }
  if (!there || UNDER_SANITIZER) {
    printf("1..0 # SKIP there is no shared library\n");
    return 0;
  }
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(loaded_used_closed_and_used),
    cmocka_unit_test(opened_many_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
