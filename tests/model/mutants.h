/* SPDX-License-Identifier: MIT */
/* Mutation of memory orders: each access of the code under test, weakened by one step, must make some scenario fail. */
#ifndef MODEL_MUTANTS_H
#define MODEL_MUTANTS_H

/* `allow`: the file of those that are known to be redundant, each with its argument.  names: of scenarios; all. */
int mutants_run(const char *allow, char *const names[], int n);

#endif
