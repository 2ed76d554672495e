/* SPDX-License-Identifier: MIT */
/* A planted fault: nobody is told of frees. */
#include "annotate.h"
#define copse_annotate_free(p, size, room) ((void)(p), (void)(size), (void)(room))
