/* SPDX-License-Identifier: MIT */
/* What an engine, or driver.c in place of one, calls: one of each a target. */
#ifndef COPSE_FUZZ_TARGET_H
#define COPSE_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input.  Always 0: an input that the target cannot use is an input of no operations. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
