/* SPDX-License-Identifier: MIT */
/*
 * TAP for the C++ tests, and where a function comes from.
 */
#ifndef COPSE_TEST_NEW_H
#define COPSE_TEST_NEW_H

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>

static int checks, failures;

static inline void check(bool good, const char *what) {
  checks++;
  if (!good) failures++;
  std::printf("%sok %d - %s\n", good ? "" : "not ", checks, what);
}

/* To be returned from main: prints the plan. */
static inline int finish() {
  std::printf("1..%d\n", checks);
  return failures != 0;
}

/* Of the function that the dynamic linker bound the name to. */
static inline void *address_of_new() {
  return reinterpret_cast<void *>(static_cast<void *(*)(std::size_t)>(&::operator new));
}
static inline void *address_of_sized_delete() {
  return reinterpret_cast<void *>(static_cast<void (*)(void *, std::size_t)>(&::operator delete));
}
static inline void *address_of_malloc() { return reinterpret_cast<void *>(&std::malloc); }

static inline bool home_is(void *address, const char *name) {
  Dl_info info;
  return std::getenv("COPSE_TEST_ANY_MALLOC") || (dladdr(address, &info) && std::strstr(info.dli_fname, name));
}

#endif
