/* SPDX-License-Identifier: MIT */
/* The part of api.h that hands out nothing: trims, parameters, statistics, and requests that must be refused. */
#ifndef COPSE_FUZZ_API_SERVICE_H
#define COPSE_FUZZ_API_SERVICE_H

#include "model.h"
#include "op.h"

bool api_service_do(struct model *m, const struct op *op, unsigned kind);

#endif
