/* SPDX-License-Identifier: MIT */
/*
 * The records' reservation, committed as pools grow:
 *
 *   | class 0: 32 B a slot | class 1 | ... | class 59 | spans: 32 B a granule |      about 6.7 regions in all
 *
 * Constant after start; a test that brings up pools alone has none, and then nothing is recorded.
 */
#include "side.h"
#include "atomic.h"
#include "check.h"
#include "region.h"
#include "size_class.h"
#include "vm.h"
#include <unistd.h>

#if INSTRUMENTED

static struct {
  struct reach reach;
  u64 bytes;
  u64 offset[CLASS_SPANS + 2]; /* of a class's first record, of the spans', and the end */
} sides;

/* The regions of the spans are divided by this. */
#define SPAN_UNIT ((u64)2 << 20)

bool copse_side_start(void) {
  u64 at = 0;
  for (unsigned class = 0; class <= CLASS_SPANS; class ++) {
    u64 slots = class < CLASSES ? region_size() / class_size(class) : region_spans_size() / SPAN_UNIT;
    sides.offset[class] = at;
    at += round_up((slots + 1) * sizeof(struct side), REACH_STEP);
  }
  sides.offset[CLASS_SPANS + 1] = at;
  u64 *steps = copse_region_own_committed(reach_bits_bytes(at), APART);
  char *base = steps ? copse_vm_reserve(at, REACH_STEP) : NULL;
  if (!base) return false;
  sides.reach = (struct reach){base, steps};
  sides.bytes = at;
  return true;
}

void copse_side_stop(void) {
  if (sides.reach.base) copse_vm_unreserve(sides.reach.base, sides.bytes);
  sides.reach = (struct reach){NULL, NULL};
}

static u64 offset_of(unsigned class, u64 slot) { return sides.offset[class] + slot * sizeof(struct side); }

static bool commit(unsigned class, u64 from, u64 to) {
  return !sides.reach.base || from >= to ||
         copse_region_reach(&sides.reach, offset_of(class, from), offset_of(class, to));
}

bool copse_side_commit(unsigned class, u64 from, u64 to) { return commit(class, from, to); }
bool copse_side_commit_spans(u64 from, u64 to) { return commit(CLASS_SPANS, from, to); }

struct side *copse_side_at(unsigned class, u64 slot) {
  return (struct side *)(void *)(sides.reach.base + offset_of(class, slot));
}

bool copse_side_known(unsigned class, u64 slot) {
  if (!sides.reach.base || class > CLASS_SPANS) return false;
  if (slot >= (sides.offset[class + 1] - sides.offset[class]) / sizeof(struct side)) return false;
  return copse_region_reached(&sides.reach, offset_of(class, slot));
}

static __thread u32 thread_number __attribute__((tls_model("initial-exec")));

u32 copse_side_thread(void) {
  if (unlikely(!thread_number)) thread_number = (u32)gettid();
  return thread_number;
}

void copse_side_thread_forget(void) { thread_number = 0; }

#else
typedef int copse_side_is_empty;
#endif
