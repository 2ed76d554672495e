/* SPDX-License-Identifier: MIT */
/* The tables of scenarios; a scenario without a name ends each. */
#ifndef MODEL_SCENARIOS_H
#define MODEL_SCENARIOS_H

#include "model.h"

/* Of the checker itself. */
extern const struct scenario self_litmus[], self_stack[];
/* Of the library. */
extern const struct scenario recycler_scenarios[], cache_scenarios[], pool_scenarios[], pool_trim_scenarios[],
    trim_scenarios[], span_scenarios[], start_scenarios[], arena_scenarios[], fork_scenarios[];

/* All of them; NULL ends it. */
extern const struct scenario *const scenario_tables[];

#endif
