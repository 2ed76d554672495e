/* SPDX-License-Identifier: MIT */
/*
 * Each atomic access of the code under test is a site, by the address of the call.  The first time it is reached it
 * notes itself; and one of them may be told another order.
 */
#include "sites.h"

static struct site sites[SITES];
static int count;
static bool recording;
static struct mutation mutation;

void sites_record(bool on) { recording = on; }
void sites_mutate(const struct mutation *m) { mutation = *m; }

int sites_seen(const struct site **out) {
  *out = sites;
  return count;
}

static void record(uptr pc, enum kind kind, int order, int failure) {
  for (int i = 0; i < count; i++)
    if (sites[i].pc == pc) return;
  if (count < SITES) sites[count++] = (struct site){pc, kind, order, failure};
}

void sites_order(uptr pc, enum kind kind, int *order, int *failure) {
  if (recording) record(pc, kind, *order, kind == CAS ? *failure : RELAXED);
  for (int i = 0; i < mutation.count; i++)
    if (mutation.pc[i] == pc) *(mutation.failure ? failure : order) = mutation.order;
}
