/* SPDX-License-Identifier: MIT */
/*
 * Runs of bits in a bitmap: pure, no state.  Bit i of the bitmap is bit i % 64 of word i / 64; nobody looks past `end`.
 */
#ifndef COPSE_SPAN_RUN_H
#define COPSE_SPAN_RUN_H

#include "base.h"

#define RUN_NONE (~(u64)0)

static inline bool run_bit(const u64 *bits, u64 i) { return bits[i / 64] >> (i % 64) & 1; }

/* The first bit at `from` or above that is set, or clear; `end` where there is none below it. */
hidden u64 copse_run_next_set(const u64 *bits, u64 from, u64 end);
hidden u64 copse_run_next_clear(const u64 *bits, u64 from, u64 end);

hidden void copse_run_set(u64 *bits, u64 first, u64 count);
hidden void copse_run_clear(u64 *bits, u64 first, u64 count);
/* How many of `count` bits from `first` on are set. */
hidden u64 copse_run_count(const u64 *bits, u64 first, u64 count);

/*
 * The lowest run of `need` clear bits at `from` or above that ends at `end` or below, and starts where
 * (index + phase) is a multiple of `unit`, a power of two.  RUN_NONE where there is none.
 */
hidden u64 copse_run_find(const u64 *bits, u64 from, u64 end, u64 need, u64 unit, u64 phase);

#endif
