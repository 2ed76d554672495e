/* SPDX-License-Identifier: MIT */
/* A planted fault: a record is taken without looking whose it is. */
#include "atomic.h"
#undef cas_acquire
#define cas_acquire(p, expected, v) ((void)(expected), store_relaxed((p), (v)), true)
