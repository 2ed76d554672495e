/* SPDX-License-Identifier: MIT */
/*
 * Bytes that nobody may write: the canary behind what was asked for, and the pattern in what was freed.  Only where no
 * tool watches them.  The functions are not seen by sanitizers, and call nothing of libc, which a tool may have
 * replaced.
 *
 *   | size bytes: the caller's | canary, CANARY_MOST at most | ... | canary: REDZONE bytes |   <- room
 *
 * The last of it is the left redzone of the next slot.
 */
#ifndef COPSE_GUARD_BYTES_H
#define COPSE_GUARD_BYTES_H

#include "annotate.h"
#include "base.h"

#ifdef COPSE_INSTRUMENTED

#define CANARY_MOST ((u64)256)
/* Of a freed slot or span no more is filled, so that a free touches no page that its owner did not. */
#define FILL_MOST ((u64)64 << 10)

/* Whether the bytes are ours to watch. */
static inline bool bytes_unwatched(void) { return !(copse_tools & (TOOL_ASAN | TOOL_VALGRIND)); }

/* pre: `room` is a multiple of 16, `start` is at one, size + REDZONE <= room. */
hidden void copse_guard_canary_set(char *start, u64 size, u64 room);
/* The first byte that was written; NULL: none. */
hidden const char *copse_guard_canary_broken(const char *start, u64 size, u64 room);
hidden void copse_guard_fill(char *start, u64 room);
/* The same of what was filled.  given_back: pages may read as zero by now, if they do as a whole. */
hidden const char *copse_guard_fill_broken(const char *start, u64 room, bool given_back);

#endif

#endif
