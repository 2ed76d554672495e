/* SPDX-License-Identifier: MIT */
/* Text that goes out by write(2). */
#ifndef COPSE_SAY_H
#define COPSE_SAY_H

#include "base.h"

/* All `bytes` of `text`, whatever signals come; no cancellation point.  false: no more could be written, and errno says why.
 * Async-signal-safe; takes no lock. */
hidden bool copse_say(int fd, const char *text, size_t bytes);

#endif
