/* SPDX-License-Identifier: MIT */
/* A planted fault: what copse does is not hidden from TSan. */
#include "annotate.h"
#undef copse_annotate_enter
#undef copse_annotate_enter_at
#define copse_annotate_enter() ((void)0)
#define copse_annotate_enter_at(caller) ((void)(caller))
#define copse_annotate_leave() ((void)0)
