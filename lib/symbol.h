/* SPDX-License-Identifier: MIT */
/* What code stands at an address: for reports only.  Allocates nothing; reads the module's file. */
#ifndef COPSE_SYMBOL_H
#define COPSE_SYMBOL_H

#include "base.h"

#ifdef COPSE_INSTRUMENTED

/*
 * Writes "function (module+0x...)", or "(module+0x...)", or "" into text, of the call before the return address `pc`.
 * Static functions have names too, where the module's symbol table was not stripped.
 */
hidden void copse_symbol_describe(uptr pc, char *text, size_t room);

#endif

#endif
