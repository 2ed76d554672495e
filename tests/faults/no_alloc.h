/* SPDX-License-Identifier: MIT */
/* A planted fault: nobody is told of allocations. */
#include "annotate.h"
#define copse_annotate_alloc(p, size, room, zeroed) ((void)(p), (void)(size), (void)(room), (void)(zeroed))
