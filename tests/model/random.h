/* SPDX-License-Identifier: MIT */
/* The checker against itself: reduced against unreduced search of random programs. */
#ifndef MODEL_RANDOM_H
#define MODEL_RANDOM_H

#include "engine.h"

struct random_sums {
  u64 programs, too_large, graphs, interleavings, executions, blocked;
};

/* Of a scenario.  false: the two searches differ; printed.  Where there are more interleavings than `limit` it is
 * counted as too large, and not compared. */
bool random_compare(const struct scenario *s, u64 limit, struct random_sums *sums);
/* The program of this number, likewise. */
bool random_check(u64 number, u64 limit, struct random_sums *sums);

#endif
