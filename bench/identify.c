/* SPDX-License-Identifier: MIT */
/*
 * Says which allocator serves this process: the file that malloc really comes from, and the version it states.  A
 * preload that fails is only a line on stderr, and the figures would be glibc's under another name.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *file_of(void *address) {
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

#if defined(BENCH_SIZED) || defined(BENCH_INLINE)

static void version_into(char *out, size_t size) { snprintf(out, size, "%s", copse_version()); }
static const char *allocator_file(void) { return file_of((void *)copse_alloc); }

#else

static bool find(const char *name, void *function_pointer) {
  void *symbol = dlsym(RTLD_DEFAULT, name);
  memcpy(function_pointer, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* The drop-in has no function of its own that says so, but malloc_info does. */
static bool copse_drop_in(char *out, size_t size) {
  int (*info)(int, FILE *); /* musl has none */
  char text[4096], version[32];
  FILE *file = find("malloc_info", &info) ? fmemopen(text, sizeof text, "w") : NULL;
  if (!file) return false;
  info(0, file);
  fclose(file);
  text[sizeof text - 1] = 0;
  if (sscanf(text, "<malloc version=\"copse-%31[^\"]", version) != 1) return false;
  snprintf(out, size, "%s", version);
  return true;
}

static void version_into(char *out, size_t size) {
  const char *(*copse)(void), *(*libc)(void);
  int (*mimalloc)(void);
  int (*jemalloc)(const char *, void *, size_t *, void *, size_t);
  const char *(*tcmalloc)(int *, int *, const char **);
  const char *text = NULL;
  size_t length = sizeof text;
  if (find("copse_version", &copse))
    snprintf(out, size, "%s", copse());
  else if (find("mi_version", &mimalloc)) {
    int v = mimalloc(); /* 209 is 2.0.9, 30402 is 3.4.2 */
    if (v >= 10000)
      snprintf(out, size, "%d.%d.%d", v / 10000, v / 100 % 100, v % 100);
    else
      snprintf(out, size, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
  } else if (find("mallctl", &jemalloc) && !jemalloc("version", &text, &length, NULL, 0))
    snprintf(out, size, "%s", text);
  else if (find("tc_version", &tcmalloc))
    snprintf(out, size, "%s", tcmalloc(NULL, NULL, NULL));
  else if (copse_drop_in(out, size))
    return;
  else if (strstr(file_of((void *)malloc), "libc.so") && find("gnu_get_libc_version", &libc))
    snprintf(out, size, "%s", libc());
  else
    snprintf(out, size, "unknown");
}
static const char *allocator_file(void) { return file_of((void *)malloc); }

#endif

void identify(void) {
  char version[128];
  version_into(version, sizeof version);
#if defined(__OPTIMIZE__)
  const char *optimised = "true";
#else
  const char *optimised = "false";
#endif
#if defined(__clang__)
  const char *compiler = "clang " __clang_version__;
#else
  const char *compiler = "gcc " __VERSION__;
#endif
  printf("{\"kind\": \"%s\", \"file\": \"%s\", \"version\": \"%s\", \"compiler\": \"%s\", \"optimised\": %s}\n",
         BENCH_KIND, allocator_file(), version, compiler, optimised);
}
