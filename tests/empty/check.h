/* SPDX-License-Identifier: MIT */
/* For check-release.sh: what check.h is in release, and nothing else. */
#ifndef COPSE_CHECK_H
#define COPSE_CHECK_H

#include "base.h"

#define INSTRUMENTED 0
#define must(x) ((void)0)
#define pre(x, function, message, pointer, size) ((void)0)

#endif
