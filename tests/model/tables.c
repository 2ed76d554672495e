/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

const struct scenario *const scenario_tables[] = {
    self_litmus,
    self_stack,
    recycler_scenarios,
    NULL,
};
