/* SPDX-License-Identifier: MIT */
/* A planted fault: freed memory has the shadow of memory that was never handed out. */
#include "annotate_tools.h"
#define copse_asan_paint_free(p, size, room) ((void)(size), copse_asan_paint_fresh((p), (room)))
