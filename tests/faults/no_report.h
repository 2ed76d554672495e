/* SPDX-License-Identifier: MIT */
/* A planted fault: nothing is added to reports. */
#include "annotate.h"
#define copse_annotate_on_report(describe) ((void)(describe))
