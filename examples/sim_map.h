/* SPDX-License-Identifier: MIT */
/* What --map does: a snapshot of the heap for copse-map, what the statistics say at the same moment, and what looking costs. */
#ifndef SIM_MAP_H
#define SIM_MAP_H

#include <stdbool.h>

/* The workers are at rest.  One line on stderr and exit status 1 where `name` cannot be written. */
void sim_map_write(const char *name);
/* Prints it, if there was one: as key=value lines, or as rows of a table. */
void sim_map_report(bool table);

#endif
