/* SPDX-License-Identifier: MIT */
/* Operations on the public interface, each with what the model expects of it.  Any thread; a model is one thread's at a time. */
#ifndef COPSE_FUZZ_API_H
#define COPSE_FUZZ_API_H

#include "model.h"
#include "op.h"

enum api_kind {
  API_ALLOC, API_ZEROED, API_ALIGNED, API_REALLOC, API_FREE, API_FREE_UNSIZED, API_BATCH, API_FREE_BATCH, API_MANY, API_FREE_MANY,
  API_INLINE, API_TRIM, API_CHECKPOINT, API_FLUSH, API_TUNE, API_JSON, API_CHECK, API_REFUSED, API_SIZES, API_COOLDOWN,
  API_KINDS
};

/* false: it is the caller's: what is numbered from API_KINDS on. */
bool api_do(struct model *m, const struct op *op, unsigned kind);
/* Frees one by the function that suits it; `how` chooses among those that do. */
void api_free_one(struct model *m, size_t which, unsigned how);
/* A refusal is not for ever: without a limit, and where the system obliges, there is memory of every class, and a span. */
void api_serve_all(struct model *m);
/* Parameters by their number; the values are those that a test can bear. */
void api_tune(struct model *m, const struct op *op);

#endif
