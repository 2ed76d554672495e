/* SPDX-License-Identifier: MIT */
/* A planted fault: zeroed memory is said to be uninitialised. */
#include "annotate.h"
#define copse_annotate_alloc(p, size, room, zeroed) ((void)(zeroed), (copse_annotate_alloc)((p), (size), (room), false))
