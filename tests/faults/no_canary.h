/* SPDX-License-Identifier: MIT */
/* A planted fault: the canary is not looked at. */
#include "guard_bytes.h"
#define copse_guard_canary_broken(start, size, room) ((void)(start), (void)(size), (void)(room), (const char *)NULL)
