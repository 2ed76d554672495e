/* SPDX-License-Identifier: MIT */
#include "size_class.h"

const u8 copse_class_table[CLASS_TABLE_MAX / 16 + 1] = {
  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  8,  9,  9,  10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15,
  16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19,
};

unsigned copse_class_route(u64 size, u64 alignment) {
  if (size > COPSE_CLASS_SIZE_MAX || alignment > COPSE_CLASS_SIZE_MAX) return CLASS_NONE;
  unsigned class = class_of_size(max_u64(size, alignment));
  while (class_alignment(class) < alignment)
    class++; /* at most three times: every fourth class is a power of two */
  return class;
}
