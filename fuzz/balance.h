/* SPDX-License-Identifier: MIT */
/*
 * The slot equation, from the outside: what the model has live, and what copse_stats counts, is each slot that exists, once.
 *   live + quarantined + cached + free + detached + uncommitted + lost = 64 x blocks
 * Class by class; and spans, of which the instrumented library holds freed ones back: there the count is exact after a trim.
 * All threads are at rest.
 */
#ifndef COPSE_FUZZ_BALANCE_H
#define COPSE_FUZZ_BALANCE_H

#include "model.h"

/* emptied: a trim came directly before. */
void balance_check(const struct model *const models[], size_t n, bool emptied);
/*
 * The end of an input: parameters are as they were, all that is live is freed, and given back.  Nothing may be left but what is not
 * live: no slot, no span, no byte in use.  Other threads have flushed.
 */
void balance_end(struct model *const models[], size_t n);
/* Parameters as at start, those aside that can only be set then. */
void balance_reset(void);

#endif
