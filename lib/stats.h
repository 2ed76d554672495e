/* SPDX-License-Identifier: MIT */
/* What there is, counted.  Any thread, once started. */
#ifndef COPSE_STATS_H
#define COPSE_STATS_H

#include "base.h"
#include "copse.h"

/* As copse_stats. */
hidden void copse_stats_take(struct copse_stats *out);
/* As copse_stats_json, of a snapshot. */
hidden size_t copse_stats_print(const struct copse_stats *stats, char *buffer, size_t size);

#endif
