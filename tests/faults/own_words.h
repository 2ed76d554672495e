/* SPDX-License-Identifier: MIT */
/* A planted fault: what copse's own memory points at is no leak. */
#include "annotate.h"
#define copse_annotate_own_words(own, bytes) ((void)(own), (void)(bytes))
