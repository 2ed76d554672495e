/* SPDX-License-Identifier: MIT */
/* The atomic accesses of the code under test, and the weakening of one. */
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
  int order;
  bool failure; /* it is the order of a failing compare-and-swap that is changed */
};

void sites_record(bool on);
int sites_seen(const struct site **sites);
void sites_mutate(const struct mutation *m);

#endif
