/* SPDX-License-Identifier: MIT */
/*
 * Sizes to classes and back, and the one routing of a request.  Pure.
 *
 *   16 32 48 64 80 96 112 128 | 160 192 224 256 | 320 384 448 512 | ... | 655360 786432 917504 1048576
 *
 * A size is odd << shift with odd one of 1, 3, 5, 7, so that slot = (offset >> shift) * inverse(odd), exactly.
 */
#ifndef COPSE_SIZE_CLASS_H
#define COPSE_SIZE_CLASS_H

#include "base.h"
#include "copse-inline.h"

enum { CLASSES = COPSE_CLASSES, CLASS_NONE = COPSE_CLASSES };

/* By size up to 1 KB, in steps of 16 bytes: the class. */
#define CLASS_TABLE_MAX 1024
hidden extern const u8 copse_class_table[CLASS_TABLE_MAX / 16 + 1];

static inline unsigned class_of_size(u64 size) {
  return likely(size <= CLASS_TABLE_MAX) ? copse_class_table[(size + 15) >> 4] : copse_class_(size);
}

/* The hot path by the table: what copse_alloc and malloc are. */
static inline void *class_hot_alloc(u64 size) {
  if (likely(size <= CLASS_TABLE_MAX)) return copse_hot_alloc_(copse_class_table[(size + 15) >> 4]);
  if (unlikely(size > COPSE_CLASS_SIZE_MAX)) return copse_alloc_large_(size);
  return copse_hot_alloc_(copse_class_(size));
}

static inline u64 class_size(unsigned class) {
  if (class < 8) return 16 * (u64)(class + 1);
  unsigned step = class - 8;
  return (u64)(5 + (step & 3)) << (5 + (step >> 2));
}

/* Every slot of the class is aligned to this: the power of two in its size. */
static inline u64 class_alignment(unsigned class) {
  u64 size = class_size(class);
  return size & -size;
}

/*
 * Where in its region a class's first slot stands, in bytes: a page further for each class of each arena, for regions agree
 * in all their low address bits, and so would fight for the same sets of the TLB and the caches.
 */
static inline u64 class_colour(unsigned class, unsigned arena) {
  return round_down((class + 61 * (u64)arena) << 12, max_u64(class_alignment(class), 4096));
}

/* x * class_inverse(odd) == x / odd for multiples of odd (modulo 2^64).  pre: odd is 1, 3, 5 or 7. */
static inline u64 class_inverse(u64 odd) {
  switch (odd) {
  case 3: return 0xAAAAAAAAAAAAAAABu;
  case 5: return 0xCCCCCCCCCCCCCCCDu;
  case 7: return 0x6DB6DB6DB6DB6DB7u;
  default: return 1;
  }
}

/*
 * The class that serves `size` bytes at `alignment`, a power of two: the first that is large enough and that aligned.
 * CLASS_NONE: a span serves it.  Every entry point routes through this, or through class_of_size where the alignment
 * is at most 16, which is the same.
 */
hidden unsigned copse_class_route(u64 size, u64 alignment);

#endif
