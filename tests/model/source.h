/* SPDX-License-Identifier: MIT */
/* Accesses by their source lines, which outlast changes elsewhere in a file; and the list of those that are allowed to
 * survive. */
#ifndef MODEL_SOURCE_H
#define MODEL_SOURCE_H

#include "engine.h"

/* "file: source line" of a call; NULL: it is not known. */
const char *source_key(uptr pc);
/* Whether that is in lib/. */
bool source_of_library(uptr pc);
/* Each line of the library's sources that names an order stronger than relaxed; NULL ends them. */
const char *source_first_ordered(void);
const char *source_next_ordered(void);

/* false: it cannot be read, or an entry has no argument. */
bool source_allowed_read(const char *path);
/* Whether it stands there; that entry is used then. */
bool source_allowed(const char *name);
/* Prints the entries that were not used.  Returns how many. */
int source_stale(void);

#endif
