/* SPDX-License-Identifier: MIT */
/*
 * ThreadSanitizer, in two variants.
 *
 * `user`: what copse does between enter and leave is not seen, neither its accesses nor its locks and atomics, so that
 * they order nothing of the user's; a slot's shadow is cleared when it is handed out, so that copse's own order need
 * not be known.  At alloc the block of the slot's last life is forgotten and a new one begins; free is a write to what was
 * asked for, to its first KB at most.
 *
 * `selfcheck`: nothing is hidden, and alloc is a write as well: it races with the free before it, unless copse ordered them.
 *
 * The interface for Java's heaps is what makes a report say "heap block of size N allocated by", for any memory; a
 * process has one such heap.  A freed block is forgotten as late as when its slot is handed out again, so that a use
 * after free is still "in" it.  These functions are in the runtimes of gcc 12, clang 14 and clang 19, which also export
 * them to shared libraries, but in no header.
 */
#include "annotate_tools.h"

#ifdef COPSE_INSTRUMENTED

tool_function void __tsan_java_init(uptr heap, uptr bytes);
tool_function void __tsan_java_alloc(uptr block, uptr size);
tool_function void __tsan_java_free(uptr block, uptr size);
/* gcc knows it as a builtin, of this type. */
tool_function void __tsan_write_range(void *p, long size);
/* Reads as well: the runtimes have one counter of both.  __tsan_ignore_thread_begin is not there for a shared library.
 */
tool_function void AnnotateIgnoreWritesBegin(const char *file, int line);
tool_function void AnnotateIgnoreWritesEnd(const char *file, int line);
tool_function void AnnotateIgnoreSyncBegin(const char *file, int line);
tool_function void AnnotateIgnoreSyncEnd(const char *file, int line);
tool_function void __tsan_func_entry(void *caller);
/* Its argument is what gcc has it take, and nobody reads. */
tool_function void __tsan_func_exit(void *unused);

/* As TSan's own free does: what is used after its free is used at its front as a rule. */
enum { WRITTEN_MOST = 1024, CELL = 8 };
/* A walk over the cells of what is unmapped costs as many page faults; whatever is handed out again is forgotten whole then. */
#define FORGET_MOST ((u64)16 << 20)

/* How many enters without leave.  Of this thread alone. */
static __thread unsigned inside;

bool copse_tsan_start(void) {
  if (!__tsan_java_init || !__tsan_write_range || !AnnotateIgnoreWritesBegin || !AnnotateIgnoreSyncBegin) return false;
  if (copse_annotate_selfcheck && !COMPILED_WITH_TSAN) {
    copse_annotate_say(
        "copse: tsan=1 is for a library that is itself compiled with TSan; this one is not, and takes 0\n");
    copse_annotate_selfcheck = false;
  }
  return true;
}

void copse_tsan_reserved(void *base, u64 bytes) { __tsan_java_init((uptr)base, bytes); }

/* A write that is seen although the thread is inside. */
static void write_seen(void *p, u64 size) {
  bool ignoring = inside && !copse_annotate_selfcheck;
  if (ignoring) AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  __tsan_write_range(p, (long)min_u64(round_up(size, CELL), WRITTEN_MOST));
  if (ignoring) AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

void copse_tsan_alloc(void *p, u64 size, u64 room) {
  if (copse_annotate_selfcheck) write_seen(p, size);
  __tsan_java_free((uptr)p, room);
  __tsan_java_alloc((uptr)p, round_up(size, CELL));
  if (copse_annotate_selfcheck) write_seen(p, size);
}

void copse_tsan_free(void *p, u64 size) { write_seen(p, size); }

void copse_tsan_gone(void *p, u64 bytes) { __tsan_java_free((uptr)p, min_u64(bytes, FORGET_MOST)); }

void copse_tsan_enter(const void *caller) {
  if (copse_annotate_selfcheck || inside++) return;
  /* Its stacks are made of what compiled code reports at its entry: without this the caller itself would be missing. */
  if (!COMPILED_WITH_TSAN) __tsan_func_entry((void *)(uptr)caller);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

void copse_tsan_leave(void) {
  if (copse_annotate_selfcheck || --inside) return;
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  if (!COMPILED_WITH_TSAN) __tsan_func_exit(NULL);
}

#else
typedef int copse_annotate_tsan_is_empty;
#endif
