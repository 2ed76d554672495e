/* SPDX-License-Identifier: MIT */
/*
 * Between annotate.c and the files of the tools: each a verb of annotate.h for one tool, called only where it is at
 * work. Nobody else includes this.
 *
 * A tool's functions are weak: they are the program's runtime's, and NULL where the program has none.
 */
#ifndef COPSE_ANNOTATE_TOOLS_H
#define COPSE_ANNOTATE_TOOLS_H

#include "annotate.h"

#ifdef COPSE_INSTRUMENTED

#define tool_function __attribute__((weak))

/*
 * Of a range that is larger, only so much is painted as not to be accessed: paint is memory, and nobody's program has
 * that much of it for a span that it never touches.  What is wiped is always wiped whole.
 */
#define PAINT_MOST ((u64)1 << 28)

/* One line on stderr, and abort. */
hidden _Noreturn void copse_annotate_refuse(const char *line);
hidden void copse_annotate_say(const char *line);

/* Each: is the tool in this process? */
hidden bool copse_asan_start(void);
hidden bool copse_tsan_start(void);
hidden bool copse_msan_start(void);
hidden bool copse_valgrind_start(void);

hidden void copse_asan_paint_fresh(void *p, u64 bytes);
hidden void copse_asan_paint_alloc(void *p, u64 size, u64 room);
hidden void copse_asan_paint_free(void *p, u64 size, u64 room);
hidden void copse_asan_wipe(void *p, u64 bytes);
hidden void copse_asan_copy(void *to, const void *from, u64 bytes);
hidden void copse_asan_on_report(void (*describe)(const void *address));

hidden void copse_tsan_reserved(void *base, u64 bytes);
hidden void copse_tsan_alloc(void *p, u64 size, u64 room);
hidden void copse_tsan_free(void *p, u64 size);
hidden void copse_tsan_gone(void *p, u64 bytes);
hidden void copse_tsan_enter(const void *caller);
hidden void copse_tsan_leave(void);

hidden void copse_msan_uninitialised(void *p, u64 bytes);
hidden void copse_msan_initialised(void *p, u64 bytes);
hidden void copse_msan_arguments(void);

hidden void copse_valgrind_own_words(void *own, u64 bytes);
hidden void copse_valgrind_enter(void);
hidden void copse_valgrind_fresh(void *p, u64 bytes);
hidden void copse_valgrind_alloc(void *p, u64 size, bool zeroed);
hidden void copse_valgrind_free(void *p);
hidden bool copse_valgrind_readable(const void *word);
hidden void copse_valgrind_defined(void *p, u64 bytes);
hidden void copse_valgrind_copy(void *to, const void *from, u64 bytes);

#endif

#endif
