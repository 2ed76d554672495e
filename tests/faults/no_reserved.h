/* SPDX-License-Identifier: MIT */
/* A planted fault: nobody is told of the reservation. */
#include "annotate.h"
#define copse_annotate_reserved(base, bytes) ((void)(base), (void)(bytes))
