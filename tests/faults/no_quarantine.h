/* SPDX-License-Identifier: MIT */
/* A planted fault: what is freed leaves the quarantine at once. */
#include "quarantine.h"
#define copse_quarantine_take(class, all, slot) ((void)(all), (copse_quarantine_take)((class), true, (slot)))
