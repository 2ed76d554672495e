/* SPDX-License-Identifier: MIT */
/* What copse says of itself, against a second account of it: statistics as JSON, the heap walk, and the walk as text. */
#ifndef COPSE_FUZZ_API_FIGURES_H
#define COPSE_FUZZ_API_FIGURES_H

#include "model.h"
#include "op.h"

/* As snprintf: what fits, and the length of the whole; in a model that is not `crowded` each figure is that of copse_stats. */
void api_json(const struct model *m, const struct op *op);
/* A walk over all blocks, its sums, one that is ended early, and the same as text. */
void api_walk(const struct model *m, const struct op *op);

#endif
