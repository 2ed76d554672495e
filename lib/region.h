/* SPDX-License-Identifier: MIT */
/*
 * The reservation, and address to arena and class by arithmetic.
 *
 *   base, aligned                                                                                     1 GB-aligned
 *   |-- arena 0: class 0 .. class 59, 4 unused --| ... |-- arena 7 --|-- spans: 31 regions --|-- copse's own: 1 region --|
 *
 *   p - base:   [ arena : R+8..R+6 ][ class : R+5..R ][ offset : R-1..0 ]
 *
 * Where there is one arena, its four unused regions are the spans', 3, and copse's own: 64 regions in all.
 * The base is aligned to what all classes take, so that p ^ base is p - base for them, and beyond them it is larger.
 *
 * All of it is constant after copse_region_start, which runs once before any other thread knows of copse.
 * copse's own region holds all metadata: never beside the data, and never unmapped.
 */
#ifndef COPSE_REGION_H
#define COPSE_REGION_H

#include "base.h"

/* Regions of an arena, of all arenas, and of spans and copse's own behind several arenas. */
enum { ARENA_REGIONS = 64, ARENA_ROWS = 8, CLASS_REGIONS = ARENA_ROWS * ARENA_REGIONS, OTHER_REGIONS = 32 };
/* Stands for the spans where a class is named. */
enum { CLASS_SPANS = 60 };

struct regions {
  char *base;
  unsigned bits;     /* R */
  unsigned arenas;   /* 1 to ARENA_ROWS */
  unsigned spans;    /* the first region that is the spans' */
  unsigned count;    /* the last one is copse's own */
};
hidden extern struct regions copse_regions;

/* Reserves: as much as the parameter "reserve" says, halved until it fits.  false: not even the least fits. */
hidden bool copse_region_start(void);

static inline unsigned region_spans(void) { return copse_regions.spans; }
static inline unsigned region_own(void) { return copse_regions.count - 1; }
/* Bytes of all. */
static inline u64 region_reserved(void) { return (u64)copse_regions.count << copse_regions.bits; }
static inline char *region_base(unsigned region) { return copse_regions.base + ((u64)region << copse_regions.bits); }
static inline u64 region_size(void) { return (u64)1 << copse_regions.bits; }
/* Which region `p` is in: copse_regions.count or above for a foreign pointer. */
static inline u64 region_of(const void *p) { return ((uptr)p - (uptr)copse_regions.base) >> copse_regions.bits; }

/* Of a region below region_spans(). */
static inline unsigned region_class(u64 region) { return (unsigned)(region % ARENA_REGIONS); }
static inline unsigned region_arena(u64 region) { return (unsigned)(region / ARENA_REGIONS); }
static inline unsigned region_at(unsigned arena, unsigned class) { return arena * ARENA_REGIONS + class; }
static inline u64 region_spans_size(void) { return (u64)(region_own() - region_spans()) << copse_regions.bits; }

/*
 * Address space of copse's own, without access yet, from the calling thread alone or from any (atomic bump).
 * NULL when the region is used up.  `alignment` is a power of two.
 */
hidden void *copse_region_own(u64 bytes, u64 alignment);
/* The same, and committed.  NULL when refused, too. */
hidden void *copse_region_own_committed(u64 bytes, u64 alignment);
/* Bytes of copse's own that are accessible: relaxed adds. */
hidden extern u64 copse_region_own_bytes;

#ifdef COPSE_INSTRUMENTED

/* The reservation is no larger: lowered where the records of side.h do not fit beside it.  For start.c. */
hidden extern u64 copse_region_most;

/* Address space that becomes accessible in steps, as it is reached, and says how far: a bit a step.  Any thread. */
#define REACH_STEP ((u64)64 << 10)
struct reach {
  char *base; /* on a page */
  u64 *steps;
};
/* Makes bytes [from, to) accessible, zero where they are new.  No lock is held.  false: refused. */
hidden bool copse_region_reach(const struct reach *r, u64 from, u64 to);
/* Whether the byte at `at` is. */
hidden bool copse_region_reached(const struct reach *r, u64 at);
/* How many bytes `steps` takes for `bytes` of address space. */
static inline u64 reach_bits_bytes(u64 bytes) { return (bytes / REACH_STEP / 64 + 1) * sizeof(u64); }

#endif

#endif
