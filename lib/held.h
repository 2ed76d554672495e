/* SPDX-License-Identifier: MIT */
/*
 * A word that says which slots are in somebody's hand: on their way from one place to another.
 *
 *   [ blank : 63 ] [ region : 23..8 ] [ count : 7..0 ]
 *
 * blank: that many slots have left the pool of the region, and are not written to their bundle yet.
 * Atomic, relaxed: its holder alone writes it, under a pool's lock where slots come from that pool or go to it; only a child of
 * fork reads it, which finds all pools' locks taken by the thread that forked.
 */
#ifndef COPSE_HELD_H
#define COPSE_HELD_H

#include "atomic.h"

#define HELD_BLANK ((u64)1 << 63)

static inline u64 held_blank(unsigned region, unsigned count) { return HELD_BLANK | (u64)region << 8 | count; }
static inline unsigned held_count(u64 held) { return (unsigned)(held & 255); }
static inline unsigned held_region(u64 held) { return (unsigned)(held >> 8 & 65535); }

#endif
