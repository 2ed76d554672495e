/* SPDX-License-Identifier: MIT */
/*
 * Call stacks of the instrumented library: captured by walking frame pointers, kept once each under a number.
 *
 * Source of the walk: the frame records of the System V ABI for x86-64, 3.2.2, and of AAPCS64, 6.2.3.  Code that was compiled
 * without frame pointers ends it: the direct caller is known in any case.  The walk reads nothing that
 * may not be there: the bounds of the calling thread's stack are taken from /proc/self/maps, anew where the stack pointer is outside of
 * those that are known, and of a stack that is not the thread's own (a fiber) the kernel is asked for each page.  Nothing here allocates
 * by malloc, and nothing is a cancellation point.
 */
#ifndef COPSE_STACK_H
#define COPSE_STACK_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED

enum { STACK_FRAMES = 32 };

/* Once, after copse_region_start.  Without memory for it all stacks are 0. */
hidden void copse_stack_start(void);

/*
 * The number of the calling thread's stack, from the caller of the public function on: `caller` is that function's return
 * address and `frame` its __builtin_frame_address(0).  0: there was no memory for it.  Any thread; lock-free.
 */
hidden u32 copse_stack_capture(void *caller, void *frame);
/* Its frames, innermost first: return addresses.  Returns how many. */
hidden unsigned copse_stack_frames(u32 stack, uptr frames[STACK_FRAMES]);
/* Prints it, a line a frame "    #0 0x... in function (module+0x...)", to a descriptor.  For reports: takes no lock. */
hidden void copse_stack_print(int fd, u32 stack);
/* The same of frames that have no number: of the calling thread, where a report is made. */
hidden void copse_stack_print_here(int fd, void *caller, void *frame);
hidden void copse_stack_print_frames(int fd, const uptr *frames, unsigned n);

#else

#define copse_stack_start() ((void)0)

#endif

#endif
