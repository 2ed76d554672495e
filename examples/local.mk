# SPDX-License-Identifier: MIT
# Examples: a few lines for the README, a tuner of parameters, and one simulation on two allocators.

noinst_PROGRAMS += examples/hello examples/tuner examples/simulation examples/simulation-system
EXTRA_DIST += examples/run-simulation.sh examples/mistakes.c

examples_hello_SOURCES = examples/hello.c
examples_hello_LDADD = lib/libcopse.la

examples_tuner_SOURCES = examples/tuner.c
examples_tuner_LDADD = lib/libcopse.la -lpthread

copse_simulation_sources = \
  examples/sim_alloc.h examples/sim_components.h \
  examples/sim_clock.h examples/sim_clock.c \
  examples/sim_world.h examples/sim_world.c \
  examples/sim_systems.c examples/sim_sync.c \
  examples/simulation.c

examples_simulation_SOURCES = $(copse_simulation_sources) examples/sim_map.h examples/sim_map.c
examples_simulation_LDADD = lib/libcopse.la -lm -lpthread

# Objects of its own, by its flags; copse is not linked.
examples_simulation_system_SOURCES = $(copse_simulation_sources)
examples_simulation_system_CPPFLAGS = $(AM_CPPFLAGS) -DSIM_SYSTEM_MALLOC
examples_simulation_system_LDADD = -lm -lpthread
