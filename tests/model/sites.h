/* SPDX-License-Identifier: MIT */
/* The atomic accesses and locks of the code under test, and how one of them is made wrong. */
#ifndef MODEL_SITES_H
#define MODEL_SITES_H

#include "engine.h"

enum { SITES = 512, COPIES = 24 };

struct site {
  uptr pc;
  enum kind kind;
  int order, failure; /* as they are in the source */
};

/* The same access, at each place that the compiler inlined it to. */
struct mutation {
  uptr pc[COPIES];
  int count;
  enum change change;
  int order;  /* of WEAKER and FAILS_WEAKER */
  int thread; /* of ABSENT */
};

void sites_record(bool on);
int sites_seen(const struct site **sites);
/* The words for them, by `enum kind` and `enum order`. */
extern const char *const site_kinds[], *const site_orders[];
void sites_mutate(const struct mutation *m);

#endif
