/* SPDX-License-Identifier: MIT */
/*
 * Words every file uses.  No state.
 */
#ifndef COPSE_BASE_H
#define COPSE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__linux__) || !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "copse needs 64-bit Linux on x86-64 or aarch64"
#endif

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef uintptr_t uptr;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold_path __attribute__((cold, noinline))
#define hidden __attribute__((visibility("hidden")))
/* Of a function that takes the address that argument n is, and does not look there: what stands there may be uninitialised. */
#if __has_attribute(access)
#define address_only(n) __attribute__((access(none, n)))
#else
#define address_only(n)
#endif

/* Whether copse itself is compiled with TSan, so that it sees copse's own synchronisation. */
#if defined(__SANITIZE_THREAD__)
#define COMPILED_WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COMPILED_WITH_TSAN 1
#endif
#endif
#ifndef COMPILED_WITH_TSAN
#define COMPILED_WITH_TSAN 0
#endif

/* What two cores write must be this far apart: x86-64 prefetches lines in pairs. */
#define APART 128

/* Asks for the line of `p`, to be written.  Any address; where the processor does not know the instruction, it does nothing. */
static inline void prefetch_write(const void *p) {
#if defined(__x86_64__)
  __asm__ volatile("prefetchw (%0)" : : "r"(p));
#else
  __builtin_prefetch(p, 1);
#endif
}

static inline u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }
static inline u64 max_u64(u64 a, u64 b) { return a > b ? a : b; }
/* pre: `unit` is a power of two. */
static inline u64 round_down(u64 x, u64 unit) { return x & ~(unit - 1); }
static inline u64 round_up(u64 x, u64 unit) { return (x + unit - 1) & ~(unit - 1); }
static inline bool is_power_of_two(u64 x) { return x && !(x & (x - 1)); }
/* pre: x is not 0. */
static inline unsigned lowest_bit(u64 x) { return (unsigned)__builtin_ctzll(x); }
static inline unsigned highest_bit(u64 x) { return 63u ^ (unsigned)__builtin_clzll(x); }
/* Sums in parallel, as in H. S. Warren, Hacker's Delight, 5-1: the builtin is a call into libgcc where the processor may
 * lack popcnt. */
static inline unsigned count_bits(u64 x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (unsigned)(x * 0x0101010101010101u >> 56);
}
/* The lowest n bits. */
static inline u64 low_bits(unsigned n) { return n >= 64 ? ~(u64)0 : ((u64)1 << n) - 1; }

#endif
