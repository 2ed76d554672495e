/* SPDX-License-Identifier: MIT */
/* No tool is found, and so none is told anything. */
#include "annotate.h"

#ifdef COPSE_INSTRUMENTED

unsigned copse_tools;
bool copse_annotate_selfcheck;

void copse_annotate_start(void) {}
u64 copse_annotate_reserve_most(void) { return (u64)16 << 40; }
void copse_annotate_reserved(void *base, u64 bytes) { (void)base, (void)bytes; }
void copse_annotate_fresh(void *p, u64 bytes) { (void)p, (void)bytes; }
void copse_annotate_alloc(void *p, u64 size, u64 room, bool zeroed) { (void)p, (void)size, (void)room, (void)zeroed; }
void copse_annotate_free(void *p, u64 size, u64 room) { (void)p, (void)size, (void)room; }
void copse_annotate_recycle(void *p, u64 room) { (void)p, (void)room; }
void copse_annotate_gone(void *p, u64 bytes) { (void)p, (void)bytes; }
void copse_annotate_enter(void) {}
void copse_annotate_leave(void) {}
void copse_annotate_on_report(void (*describe)(const void *address)) { (void)describe; }
bool copse_annotate_symbolize(uptr pc, char *text, u64 room) { return (void)pc, (void)text, (void)room, false; }

#else
typedef int copse_annotate_is_empty;
#endif
