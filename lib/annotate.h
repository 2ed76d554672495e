/* SPDX-License-Identifier: MIT */
/*
 * What the tools are told: AddressSanitizer, ThreadSanitizer, MemorySanitizer, LeakSanitizer, valgrind.  The one ladder:
 * no other file of lib/ names a tool, its macros or its headers.  In release all of it is nothing.
 *
 * The instrumented library is not compiled with any sanitizer: annotate*.c finds the runtimes of the program by weak
 * symbols, and valgrind by its client requests.  The same source, compiled with one, works as well.
 *
 * A slot's life, and who is told what:
 *   fresh    made accessible, never handed out     ASan 0xf7, valgrind no access, MSan uninitialised
 *   alloc    handed out: exactly `size` bytes are the caller's, the rest up to `room` is a redzone
 *                                                  ASan 0 and 0xfa, TSan a new heap block, MSan uninitialised
 *   free     taken back: all of `room` is freed    ASan 0xfd, TSan a write (its first KB), MSan uninitialised
 *   recycle  left the quarantine, and may be handed out again: nothing may be accessed, as before
 *   gone     about to be unmapped                  the tools forget it
 * All of these take addresses that are multiples of 16 and `room` likewise; they access neither the slot nor a lock of copse.
 */
#ifndef COPSE_ANNOTATE_H
#define COPSE_ANNOTATE_H

#include "base.h"

/* Of a function that accesses slots as no caller may: no sanitizer that copse is compiled with looks into it. */
#if defined(__clang__)
#define unseen_by_tools __attribute__((noinline, no_sanitize("address", "thread", "memory", "undefined")))
#else
#define unseen_by_tools __attribute__((noinline, no_sanitize("address", "thread", "undefined")))
#endif

enum tool { TOOL_ASAN = 1, TOOL_TSAN = 2, TOOL_MSAN = 4, TOOL_LSAN = 8, TOOL_VALGRIND = 16 };

#ifdef COPSE_INSTRUMENTED

/* Which tools are at work: bits of enum tool.  0 before copse_annotate_start.  Constant after it. */
hidden extern unsigned copse_tools;

/*
 * Looks for the tools, and asserts that they listen (ASan's allow_user_poisoning).  Once, before anything is reserved:
 * how much may be reserved depends on the tool.
 */
hidden void copse_annotate_start(void);
/* How many bytes may be reserved in all under the tools at work; see SANITIZERS in doc/. */
hidden u64 copse_annotate_reserve_most(void);
/* The reservation stands: it may hold pointers (LSan's root region), and its slots are heap blocks (TSan). */
hidden void copse_annotate_reserved(void *base, u64 bytes);

/*
 * At exit: addresses in copse's own memory, those of bundles that were handed out, keep nothing from being leaked.  Until the next enter,
 * if there is one: what runs behind it may still use copse.
 */
hidden void copse_annotate_own_words(void *own, u64 bytes);

hidden void copse_annotate_fresh(void *p, u64 bytes);
hidden void copse_annotate_alloc(void *p, u64 size, u64 room, bool zeroed);
hidden void copse_annotate_free(void *p, u64 size, u64 room);
hidden void copse_annotate_recycle(void *p, u64 room);
hidden void copse_annotate_gone(void *p, u64 bytes);
/* As memcpy, from a live block to a new one: what its owner has said to be out of bounds moves with the rest. */
hidden void copse_annotate_copy(void *to, const void *from, u64 bytes);
/* copse wrote this, which is the user's: a result.  MSan does not see what uninstrumented code writes. */
hidden void copse_annotate_written(void *p, u64 bytes);
/* The next call is of a function of the user's.  To MSan its arguments are what an earlier call passed in their place. */
hidden void copse_annotate_call(void);

/*
 * TSan, variant `user`: between the two the calling thread's own synchronisation and accesses are copse's, and make no
 * happens-before edge that could hide a race of the user's.  They nest.  Variant `selfcheck` does nothing here: copse's own
 * edges are what is checked.  `caller`, an address in the user's function, becomes the innermost frame of TSan's stack.
 */
hidden void copse_annotate_enter_at(const void *caller);
hidden void copse_annotate_leave(void);
/* In a public function: it was called from where it returns to.  Elsewhere, name the place. */
#define copse_annotate_enter() copse_annotate_enter_at(__builtin_return_address(0))
/* Which variant: true for `selfcheck`, which is what a library that is itself compiled with TSan starts with. */
hidden extern bool copse_annotate_selfcheck;

/* Under valgrind: copse's copy of what may be undefined, which it looks at none the less. */
hidden void copse_annotate_defined(void *copy, u64 bytes);
static inline void copse_annotate_known(void *copy, u64 bytes) {
  if (unlikely(copse_tools & TOOL_VALGRIND)) copse_annotate_defined(copy, bytes);
}

/* Under valgrind: whether the word there may be read. */
hidden bool copse_annotate_readable(const void *word);

/*
 * ASan is about to print a report on `address`: `describe` prints what copse knows of it.  0 where no address is known.
 * It runs inside the report, on the reporting thread: no lock that the thread may hold, no allocation.
 */
hidden void copse_annotate_on_report(void (*describe)(const void *address));
/*
 * Writes "function file:line" or what else is known of the code at `pc`, of a return address, into text[0..room); returns
 * false where no tool's symbolizer is there, or it does not know the function.  For reports only.
 */
hidden bool copse_annotate_symbolize(uptr pc, char *text, u64 room);

#else

#define copse_tools 0u
#define copse_annotate_start() ((void)0)
#define copse_annotate_reserve_most() (~(u64)0)
#define copse_annotate_reserved(base, bytes) ((void)0)
#define copse_annotate_fresh(p, bytes) ((void)0)
#define copse_annotate_alloc(p, size, room, zeroed) ((void)0)
#define copse_annotate_free(p, size, room) ((void)0)
#define copse_annotate_recycle(p, room) ((void)0)
#define copse_annotate_gone(p, bytes) ((void)0)
#define copse_annotate_written(p, bytes) ((void)0)
#define copse_annotate_call() ((void)0)
#define copse_annotate_enter() ((void)0)
#define copse_annotate_enter_at(caller) ((void)0)
#define copse_annotate_leave() ((void)0)

#endif

#endif
