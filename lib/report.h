/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented library says, on stderr: of a misuse, of an address, of what was never freed.  Allocates nothing and
 * takes no lock of a pool: it may run inside a sanitizer's report.
 *
 *   copse: copse_free: freed before (pointer 0x7f0000001040, size 64; 64 bytes asked for)
 *     here, thread 4711:
 *       #0 0x... in f (program+0x...)
 *     allocated by thread 4711:
 *       ...
 *     freed by thread 4712:
 *       ...
 */
#ifndef COPSE_REPORT_H
#define COPSE_REPORT_H

#include "base.h"
#include "copse.h"

#ifdef COPSE_INSTRUMENTED

/* Where a public function was called from: the first frame behind it. */
struct site {
  const char *function; /* its name, for people */
  void *caller, *frame; /* as copse_stack_capture wants them */
  bool unsized;         /* it is not told what size was asked for */
};
#define SITE(name) (&(const struct site){(name), __builtin_return_address(0), __builtin_frame_address(0), false})
#define SITE_UNSIZED(name) (&(const struct site){(name), __builtin_return_address(0), __builtin_frame_address(0), true})

/*
 * A misuse.  By the parameter "misuse" it aborts (0), traps (1), or, where a callback was set by copse_on_misuse, calls that
 * and returns; then the public function does nothing and returns NULL or 0.  `about`: an address of the slot whose record
 * has the stacks; NULL: none is known.
 */
hidden void copse_report_misuse(const struct site *at, const char *message, const void *pointer, u64 size, const void *about);
/* What copse knows of an address, several lines; nothing where it is foreign.  For a sanitizer's report. */
hidden void copse_report_describe(const void *address);
/* Lists what is live, grouped by the stacks that allocated it, largest first; returns how many slots and spans. */
hidden u64 copse_report_leaks(void);
/* As copse_on_misuse. */
hidden void copse_report_handler(void (*handler)(const struct copse_misuse *misuse, void *context), void *context);
/* One line, and an end of line, on stderr; cut where it is longer than 318 bytes. */
hidden void copse_report_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

#endif
