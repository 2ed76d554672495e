/* SPDX-License-Identifier: MIT */
/* A planted fault: all of a slot is said to be the caller's. */
#include "annotate.h"
#define copse_annotate_alloc(p, size, room, zeroed) ((void)(size), (copse_annotate_alloc)((p), (room), (room), (zeroed)))
