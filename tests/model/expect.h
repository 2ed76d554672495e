/* SPDX-License-Identifier: MIT */
/* Whether a scenario went as it must. */
#ifndef MODEL_EXPECT_H
#define MODEL_EXPECT_H

#include "engine.h"

extern const char *const expect_verdicts[];
/* false: and why not. */
bool expect_met(const struct scenario *s, const struct result *r, char *why, size_t room);

#endif
