/* SPDX-License-Identifier: MIT */
/*
 * Each atomic access of the code under test is a site, by the address of the call; each lock, by that of the call of
 * copse's own function.  The first time it is reached it notes itself; and one of them may be told to be something
 * else.
 */
#include "sites.h"

const char *const site_kinds[] = {"load", "store", "exchange", "add",    "sub",    "and",   "or",   "xor",
                                  "nand", "cas",   "lock",     "unlock", "choose", "fence", "stop", "survive"};
const char *const site_orders[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};

static struct site sites[SITES];
static int count;
static bool recording;
static struct mutation mutation;
/* Where the function that each thread is in was called. */
static uptr callers[T];

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

enum change sites_atomic(uptr pc, enum kind kind, int *order, int *failure) {
  if (recording) record(pc, kind, *order, kind == CAS ? *failure : RELAXED);
  for (int i = 0; i < mutation.count; i++) {
    if (mutation.pc[i] != pc) continue;
    if (mutation.change == WEAKER)
      *order = mutation.order;
    else if (mutation.change == FAILS_WEAKER)
      *failure = mutation.order;
    else
      return mutation.change;
  }
  return AS_IT_IS;
}

void sites_enter(uptr caller) {
  if (now.current != NO) callers[now.current] = caller;
}

/* `pc` is in copse's own function for locks, or in a scenario. */
enum change sites_lock(uptr pc) {
  uptr caller = callers[now.current];
  if (recording) {
    record(pc, LOCK, ACQUIRE, RELAXED);
    record(caller, LOCK, ACQUIRE, RELAXED);
  }
  for (int i = 0; i < mutation.count; i++)
    if (mutation.pc[i] == pc || mutation.pc[i] == caller) return mutation.change;
  return AS_IT_IS;
}

bool sites_absent(int thread) { return mutation.change == ABSENT && mutation.thread == thread; }
