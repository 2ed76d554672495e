/* SPDX-License-Identifier: MIT */
/* A planted fault: pools are not looked at. */
#include "guard.h"
#define copse_guard_check(all) ((void)(all))
