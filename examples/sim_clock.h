/* SPDX-License-Identifier: MIT */
/*
 * Time and memory as the system tells them, and percentiles of frame times.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of a clock that only goes forward. */
uint64_t clock_now(void);

/* Resident memory in KB: now, and the most there has been.  0 when /proc does not say. */
uint64_t resident_now(void);
uint64_t resident_peak(void);

struct percentiles {
  uint64_t p50, p99, p999, most;
};

/* Nearest rank: the least sample that is not exceeded by that part of all.  Sorts `samples`.  pre: n is not 0. */
struct percentiles percentiles_of(uint64_t *samples, size_t n);

#endif
