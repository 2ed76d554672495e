/* SPDX-License-Identifier: MIT */
/* What a test runs under: a sanitizer, valgrind, an emulator. */
#ifndef COPSE_TESTS_UNDER_H
#define COPSE_TESTS_UNDER_H

#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(memory_sanitizer)
#define UNDER_MSAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif
#ifndef UNDER_MSAN
#define UNDER_MSAN 0
#endif
/* Said by who compiles it: valgrind runs any program. */
#ifndef UNDER_VALGRIND
#define UNDER_VALGRIND 0
#endif
#define UNDER_SANITIZER (UNDER_ASAN || UNDER_TSAN || UNDER_MSAN || UNDER_VALGRIND)
/* What a test does less of where each access costs ten, or fifty. */
#define LESS(n) (UNDER_VALGRIND ? ((n) + 49) / 50 : UNDER_SANITIZER ? ((n) + 9) / 10 : (n))

/* An emulator notes each page that was ever reserved (tests/check-aarch64.sh), and takes minutes where the processor takes seconds. */
static inline bool emulated(void) { return getenv("COPSE_TEST_EMULATED") != NULL; }

#endif
