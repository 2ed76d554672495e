/* SPDX-License-Identifier: MIT */
/*
 * The instrumented library's way in and out: every public function that hands out, takes back or asks about memory goes
 * through here, ahead of the thread's cache, so that nothing that is wrong can hide in it.  Nothing of it exists in release.
 *
 *   alloc: class for size + redzone, at the alignment promised --> cache --> record LIVE, canary or tool told
 *   free:  start of a live allocation?  size, alignment right?  canary whole?  LIVE -> QUARANTINE, filled or tool told
 *          --> quarantine --> oldest: still as it was left? --> FREE --> cache, by its address
 *
 * Without ASan or valgrind the slack behind the bytes asked for holds a canary, and freed slots a pattern; with them the tool
 * watches both, and the bytes are left alone.
 *
 * What it says of a misuse ("what" of struct copse_misuse):
 *   a NULL pointer                                 where the contract excludes it
 *   a pointer that copse never handed out          foreign, or in memory that was never allocated
 *   not the start of an allocation                 a pointer into a block, or behind it
 *   freed before                                   also of a block that was moved by a realloc
 *   not the size asked for, not the alignment asked for
 *   allocated with an alignment: copse_free_aligned frees it
 *   written beyond its end                         found at the free of a block, or of the one before it
 *   written after free                             found when the block leaves the quarantine, or is handed out again
 */
#ifndef COPSE_GUARD_H
#define COPSE_GUARD_H

#include "base.h"

/* In place of an alignment: the caller named none. */
#define GUARD_ANY (~(u64)0)
/* One that was named: what is no power of two is as good as another, and none is GUARD_ANY. */
static inline u64 guard_alignment(u64 alignment) { return is_power_of_two(alignment) ? alignment : 3; }

#ifdef COPSE_INSTRUMENTED
#include "report.h"

/* Bytes behind an allocation that are nobody's: the left redzone of the next one, too. */
enum { REDZONE = 16 };

/* `size` 0 counts as 1.  NULL with errno: no memory, or EINVAL for the alignment.  `alignment` 0: what copse_alloc promises. */
hidden void *copse_guard_alloc(const struct site *at, u64 size, u64 alignment, bool zeroed);
/* `alignment` 0: what copse_free takes, 16 at most.  `size` 0 where the site names none. */
hidden void copse_guard_free(const struct site *at, void *p, u64 size, u64 alignment);
/* Always moves: a stale pointer is found. */
hidden void *copse_guard_realloc(const struct site *at, void *p, u64 old_size, u64 new_size);
/* Exactly what was asked for. */
hidden u64 copse_guard_size(const struct site *at, const void *p);
/* Whether an argument is what its `pre:` line wants; else it is a misuse. */
hidden bool copse_guard_nonnull(const struct site *at, const void *argument) address_only(2);
/* Empties the quarantine into the pools: before a trim, and before ENOMEM.  Returns the bytes that went back to the system: of spans. */
hidden u64 copse_guard_flush(void);
/* Asserts that the pools are whole: all of them and the spans, or one, in turn. */
hidden void copse_guard_check(bool all);

/* ---- for guard*.c ---- */
hidden u64 copse_guard_flush_at(const struct site *at);
/* Brings copse up, and tells the tools that what follows is copse's own; `caller` as copse_annotate_enter_at wants it. */
hidden void copse_guard_enter_at(const void *caller);
#define copse_guard_enter() copse_guard_enter_at(__builtin_return_address(0))

#else

/* What stands behind `if (INSTRUMENTED)`. */
struct site;
#define SITE(name) ((const struct site *)NULL)
#define SITE_UNSIZED(name) SITE(name)
#define copse_guard_alloc(at, size, alignment, zeroed) ((void)(at), NULL)
#define copse_guard_free(at, p, size, alignment) ((void)(at), (void)(size), (void)(alignment))
#define copse_guard_realloc(at, p, old_size, new_size) ((void)(at), NULL)
#define copse_guard_size(at, p) ((void)(at), 0)
#define copse_guard_nonnull(at, argument) true
#define copse_guard_flush() ((u64)0)
#define copse_guard_check(all) ((void)0)

#endif

#endif
