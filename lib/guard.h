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
 */
#ifndef COPSE_GUARD_H
#define COPSE_GUARD_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED
#include "report.h"

/* Bytes behind an allocation that are nobody's: the left redzone of the next one, too. */
enum { REDZONE = 16 };

/* `size` 0 counts as 1.  NULL with errno: no memory, or EINVAL for the alignment.  `alignment` 0: what copse_alloc promises. */
hidden void *copse_guard_alloc(const struct site *at, u64 size, u64 alignment, bool zeroed);
/* GUARD_ANY in place of a size or an alignment: the caller named none. */
#define GUARD_ANY (~(u64)0)
hidden void copse_guard_free(const struct site *at, void *p, u64 size, u64 alignment);
/* Always moves: a stale pointer is found. */
hidden void *copse_guard_realloc(const struct site *at, void *p, u64 old_size, u64 new_size);
/* Exactly what was asked for. */
hidden u64 copse_guard_size(const struct site *at, const void *p);
/* Empties the quarantine into the pools: before a trim, and before ENOMEM. */
hidden void copse_guard_flush(void);

#endif

#endif
