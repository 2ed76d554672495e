/* SPDX-License-Identifier: MIT */
/* Giving memory back across all pools, caches, recyclers and spans.  Any thread; several at once help each other. */
#ifndef COPSE_TRIM_H
#define COPSE_TRIM_H

#include "cache.h"

/* As copse_trim, by a thread whose record is `mine`, or NULL where it has none. */
hidden u64 copse_trim_all(struct cache *mine);
/*
 * Before memory is said to be out: returns to the pools what lies in this thread's cache, in the spares of all threads and in
 * the recyclers, and decommits all that is free, whatever the cooldown.
 */
hidden void copse_trim_reclaim_owner(struct cache *mine);
/*
 * The last that can be done, after that: takes back the access of what is bare at the end of each pool, and of idle granules; for
 * the system may count what is accessible.
 */
hidden void copse_trim_shrink(void);
/* As copse_trim_pending. */
hidden u64 copse_trim_behind(void);

#endif
