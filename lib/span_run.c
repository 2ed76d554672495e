/* SPDX-License-Identifier: MIT */
/* A word at a time: a step over 64 granules is 128 MB of address space. */
#include "span_run.h"

/* `flip`: all ones to look for clear bits. */
static u64 next(const u64 *bits, u64 from, u64 end, u64 flip) {
  if (from >= end) return end;
  u64 at = from / 64;
  u64 word = (bits[at] ^ flip) & ~low_bits(from % 64);
  while (!word) {
    if (++at * 64 >= end) return end;
    word = bits[at] ^ flip;
  }
  return min_u64(at * 64 + lowest_bit(word), end);
}

u64 copse_run_next_set(const u64 *bits, u64 from, u64 end) { return next(bits, from, end, 0); }

u64 copse_run_next_clear(const u64 *bits, u64 from, u64 end) { return next(bits, from, end, ~(u64)0); }

/* The bits of word `at` that lie in [first, end). */
static u64 part(u64 at, u64 first, u64 end) {
  u64 low = at * 64 < first ? first - at * 64 : 0;
  return low_bits((unsigned)min_u64(end - at * 64, 64)) & ~low_bits((unsigned)low);
}

void copse_run_set(u64 *bits, u64 first, u64 count) {
  for (u64 at = first / 64; at * 64 < first + count; at++) bits[at] |= part(at, first, first + count);
}

void copse_run_clear(u64 *bits, u64 first, u64 count) {
  for (u64 at = first / 64; at * 64 < first + count; at++) bits[at] &= ~part(at, first, first + count);
}

u64 copse_run_count(const u64 *bits, u64 first, u64 count) {
  u64 n = 0;
  for (u64 at = first / 64; at * 64 < first + count; at++) n += count_bits(bits[at] & part(at, first, first + count));
  return n;
}

u64 copse_run_find(const u64 *bits, u64 from, u64 end, u64 need, u64 unit, u64 phase) {
  for (;;) {
    from = copse_run_next_clear(bits, from, end);
    from = round_up(from + phase, unit) - phase;
    if (from >= end || need > end - from) return RUN_NONE;
    u64 taken = copse_run_next_set(bits, from, from + need);
    if (taken == from + need) return from;
    from = taken;
  }
}
