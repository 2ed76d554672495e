/* SPDX-License-Identifier: MIT */
/* A planted fault: the pattern of freed memory is not looked at. */
#include "guard_bytes.h"
#define copse_guard_fill_broken(start, room, given_back) \
  ((void)(start), (void)(room), (void)(given_back), (const char *)NULL)
