/* SPDX-License-Identifier: MIT */
/*
 * Finds the tools, and passes on to each what it wants to hear.  LeakSanitizer and the symbolizer, which are one call
 * each, are here; the others have a file each.
 *
 * copse_tools is constant after start.  Release compiles none of it.
 */
#include "annotate_tools.h"
#include "say.h"

#ifdef COPSE_INSTRUMENTED
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned copse_tools;
bool copse_annotate_selfcheck = COMPILED_WITH_TSAN;

tool_function void __lsan_register_root_region(const void *base, size_t bytes);
tool_function void __sanitizer_symbolize_pc(void *pc, const char *format, char *text, size_t room);

void copse_annotate_say(const char *line) {
  (void)copse_say(STDERR_FILENO, line, strlen(line)); /* or there is nowhere left to say it */
}

void copse_annotate_refuse(const char *line) {
  copse_annotate_say(line);
  abort();
}

void copse_annotate_start(void) {
  unsigned tools = 0;
  if (copse_asan_start()) tools |= TOOL_ASAN;
  if (copse_tsan_start()) tools |= TOOL_TSAN;
  if (copse_msan_start()) tools |= TOOL_MSAN;
  if (__lsan_register_root_region) tools |= TOOL_LSAN;
  if (copse_valgrind_start()) tools |= TOOL_VALGRIND;
  copse_tools = tools;
}

u64 copse_annotate_reserve_most(void) {
  u64 most = (u64)16 << 40;
  if (copse_tools & TOOL_TSAN) most = (u64)512 << 30; /* its shadow leaves no hole that is surely larger */
  if (copse_tools & TOOL_MSAN) most = min_u64(most, (u64)4 << 40);
  if (copse_tools & TOOL_VALGRIND) most = (u64)16 << 30; /* it maps 32 GB at most */
  return most;
}

void copse_annotate_reserved(void *base, u64 bytes) {
  /* All of it, once: what is not accessible is skipped when leaks are looked for. */
  if (copse_tools & TOOL_LSAN) __lsan_register_root_region(base, bytes);
  if (copse_tools & TOOL_TSAN) copse_tsan_reserved(base, bytes);
}

void copse_annotate_own_words(void *own, u64 bytes) {
  /* The sanitizers know no blocks of copse's that could leak. */
  if (copse_tools & TOOL_VALGRIND) copse_valgrind_own_words(own, bytes);
}

void copse_annotate_fresh(void *p, u64 bytes) {
  if (copse_tools & TOOL_ASAN) copse_asan_paint_fresh(p, bytes);
  if (copse_tools & TOOL_MSAN) copse_msan_uninitialised(p, bytes);
  if (copse_tools & TOOL_VALGRIND) copse_valgrind_fresh(p, bytes);
}

void copse_annotate_alloc(void *p, u64 size, u64 room, bool zeroed) {
  if (copse_tools & TOOL_ASAN) copse_asan_paint_alloc(p, size, room);
  if (copse_tools & TOOL_TSAN) copse_tsan_alloc(p, size, room);
  if (copse_tools & TOOL_MSAN) {
    if (zeroed)
      copse_msan_initialised(p, size);
    else
      copse_msan_uninitialised(p, size);
  }
  if (copse_tools & TOOL_VALGRIND) copse_valgrind_alloc(p, size, zeroed);
}

void copse_annotate_free(void *p, u64 size, u64 room) {
  if (copse_tools & TOOL_ASAN) copse_asan_paint_free(p, size, room);
  if (copse_tools & TOOL_TSAN) copse_tsan_free(p, size);
  if (copse_tools & TOOL_MSAN) copse_msan_uninitialised(p, room);
  if (copse_tools & TOOL_VALGRIND) copse_valgrind_free(p);
}

void copse_annotate_recycle(void *p, u64 room) {
  /* What free told holds until the next alloc. */
  (void)p;
  (void)room;
}

void copse_annotate_gone(void *p, u64 bytes) {
  if (copse_tools & TOOL_ASAN) copse_asan_wipe(p, bytes);
  if (copse_tools & TOOL_TSAN) copse_tsan_gone(p, bytes);
  if (copse_tools & TOOL_MSAN) copse_msan_initialised(p, bytes);
}

void copse_annotate_copy(void *to, const void *from, u64 bytes) {
  if (copse_tools & TOOL_ASAN)
    copse_asan_copy(to, from, bytes);
  else if (copse_tools & TOOL_VALGRIND)
    copse_valgrind_copy(to, from, bytes);
  else
    memcpy(to, from, bytes);
}

void copse_annotate_written(void *p, u64 bytes) {
  if (copse_tools & TOOL_MSAN) copse_msan_initialised(p, bytes);
}

void copse_annotate_call(void) {
  if (copse_tools & TOOL_MSAN) copse_msan_arguments();
}

void copse_annotate_enter_at(const void *caller) {
  if (copse_tools & TOOL_TSAN) copse_tsan_enter(caller);
  if (copse_tools & TOOL_VALGRIND) copse_valgrind_enter();
}

void copse_annotate_leave(void) {
  if (copse_tools & TOOL_TSAN) copse_tsan_leave();
}

void copse_annotate_defined(void *copy, u64 bytes) { copse_valgrind_defined(copy, bytes); }

bool copse_annotate_readable(const void *word) { return copse_valgrind_readable(word); }

void copse_annotate_on_report(void (*describe)(const void *address)) {
  if (copse_tools & TOOL_ASAN) copse_asan_on_report(describe);
}

bool copse_annotate_symbolize(uptr pc, char *text, u64 room) {
  if (!__sanitizer_symbolize_pc || room == 0) return false;
  memset(text, 0, room); /* whatever is compiled with MSan may look at it */
  /* Of a return address the call is what people want to see: it ends one byte earlier. */
  __sanitizer_symbolize_pc((void *)(pc - 1), "%f %L", text, room);
  text[room - 1] = 0;
  if (copse_tools & TOOL_MSAN) copse_msan_initialised(text, room); /* written behind its back */
  /* gcc's UndefinedBehaviorSanitizer alone knows modules only. */
  return text[0] != 0 && strncmp(text, "<null>", 6) != 0;
}

#else
typedef int copse_annotate_is_empty;
#endif
