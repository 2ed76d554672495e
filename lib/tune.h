/* SPDX-License-Identifier: MIT */
/* The run-time parameters by name.  Any thread. */
#ifndef COPSE_TUNE_H
#define COPSE_TUNE_H

#include "base.h"

/* As copse_tune_get and copse_tune_set. */
hidden int copse_parameter_get(const char *name, u64 *value);
hidden int copse_parameter_set(const char *name, u64 value);
/* From here on those that must be set early are EBUSY. */
hidden void copse_parameters_freeze(void);
/* The names, their ranges and defaults, for documents and tests: NULL ends them. */
struct parameter {
  const char *name;
  u64 *value;
  u64 initial, least, greatest;
  bool early;
};
hidden extern const struct parameter copse_parameters[];

/*
 * Reads "name=value,name=value"; a value is a decimal number, with K, M, G or T for powers of 1024.  What it does not
 * understand is one line on stderr each, and no more.  Allocates nothing.
 */
hidden void copse_options_read(const char *options);

#endif
