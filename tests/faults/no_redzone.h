/* SPDX-License-Identifier: MIT */
/* A planted fault: what lies behind an allocation is not painted. */
#include "annotate_tools.h"
#define copse_asan_paint_alloc(p, size, room) ((void)(size), copse_asan_wipe((p), (room)))
