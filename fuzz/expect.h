/* SPDX-License-Identifier: MIT */
/* What the targets assert: a line on stderr, and abort, which every engine takes for a crash. */
#ifndef COPSE_FUZZ_EXPECT_H
#define COPSE_FUZZ_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#define expect(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x), fflush(stderr), abort()))

#endif
