/* SPDX-License-Identifier: MIT */
/*
 * MemorySanitizer: what is allocated, and what is freed, is uninitialised, and its origin is the calling stack (where
 * the program was compiled with -fsanitize-memory-track-origins).  __msan_poison would leave no origin.
 */
#include "annotate_tools.h"

#ifdef COPSE_INSTRUMENTED

tool_function address_only(1) void __msan_allocated_memory(const volatile void *p, size_t bytes);
tool_function address_only(1) void __msan_unpoison(const volatile void *p, size_t bytes);
/* Of a call's arguments, in words. */
tool_function void __msan_unpoison_param(size_t words);

bool copse_msan_start(void) { return __msan_allocated_memory != NULL; }

void copse_msan_uninitialised(void *p, u64 bytes) { __msan_allocated_memory(p, min_u64(bytes, PAINT_MOST)); }

void copse_msan_initialised(void *p, u64 bytes) { __msan_unpoison(p, bytes); }

/* copse calls nothing of the user's with more. */
void copse_msan_arguments(void) {
  if (__msan_unpoison_param) __msan_unpoison_param(3);
}

#else
typedef int copse_annotate_msan_is_empty;
#endif
