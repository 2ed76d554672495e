/* SPDX-License-Identifier: MIT */
/* A few threads that stay: they keep their caches from one input to the next, as the threads of a program do. */
#ifndef COPSE_FUZZ_CREW_H
#define COPSE_FUZZ_CREW_H

enum { CREW = 4 };

/* Member `which`, from 0 on, does it while the caller waits. */
void crew_do(unsigned which, void (*work)(void *), void *argument);
/* All of them do it at once, each with its own argument. */
void crew_do_all(void (*work)(void *), void *arguments[CREW]);

#endif
