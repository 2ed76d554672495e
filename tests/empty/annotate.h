/* SPDX-License-Identifier: MIT */
/* For check-release.sh: what annotate.h is in release, and nothing else. */
#ifndef COPSE_ANNOTATE_H
#define COPSE_ANNOTATE_H

#include "base.h"

#define unseen_by_tools
#define copse_tools 0u
#define copse_annotate_start() ((void)0)
#define copse_annotate_reserve_most() (~(u64)0)
#define copse_annotate_reserved(base, bytes) ((void)0)
#define copse_annotate_fresh(p, bytes) ((void)0)
#define copse_annotate_alloc(p, size, room, zeroed) ((void)0)
#define copse_annotate_free(p, size, room) ((void)0)
#define copse_annotate_recycle(p, room) ((void)0)
#define copse_annotate_gone(p, bytes) ((void)0)
#define copse_annotate_written(p, bytes) ((void)0)
#define copse_annotate_call() ((void)0)
#define copse_annotate_enter() ((void)0)
#define copse_annotate_enter_at(caller) ((void)0)
#define copse_annotate_leave() ((void)0)

#endif
