/* SPDX-License-Identifier: MIT */
/* The parameters' values, at their defaults from the first instruction on. */
#include "tunables.h"

struct tunables copse_tunables = {
#define X(name, value, least, greatest, early) .name = (value),
  COPSE_PARAMETERS(X)
#undef X
};
