/* SPDX-License-Identifier: MIT */
/* A planted fault: nobody is told of fresh memory. */
#include "annotate.h"
#define copse_annotate_fresh(p, bytes) ((void)(p), (void)(bytes))
