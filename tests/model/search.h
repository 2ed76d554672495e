/* SPDX-License-Identifier: MIT */
/* Between search.c, races.c and alone.c. */
#ifndef MODEL_SEARCH_H
#define MODEL_SEARCH_H

#include "engine.h"

/* Finds the events that this one is in a race with, and has the search try the other way round. */
void races_of(int event);
/* The same for the locks that threads wait for where nobody can go on: what they would be in a race with. */
void races_of_waiting(void);
/* At the node one of these threads must be tried. */
void search_backtrack(int node, unsigned initials);
bool search_load(const char *schedule);

/* ---- alone.c ---- */
void alone_start(void); /* a new execution */
/* Whether all threads but this one have stopped or ended. */
bool alone_now(int thread);
/* Where nobody can go on: whether that is because some thread was to stop elsewhere, or did. */
bool alone_ahead(void);

#endif
