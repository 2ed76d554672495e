/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

const struct scenario *const scenario_tables[] = {
    self_litmus,    self_stack,     recycler_scenarios, cache_scenarios, pool_scenarios, pool_trim_scenarios,
    trim_scenarios, span_scenarios, start_scenarios,    arena_scenarios, fork_scenarios, NULL,
};
