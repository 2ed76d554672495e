/* SPDX-License-Identifier: MIT */
#include "region.h"
#include "atomic.h"
#include "check.h"
#include "tunables.h"
#include "vm.h"

/* Before start every pointer is foreign: R = 0 makes region_of larger than any region. */
struct regions copse_regions;
u64 copse_region_own_bytes;

/* The first byte of copse's own region that nobody has. */
static u64 own_next;

#if INSTRUMENTED
/* A slot's number fits the links of the quarantine, and the tools' shadow of it the machine. */
u64 copse_region_most = (u64)1 << 40;

/* The records beside the reservation take a tenth of it. */
static u64 at_most(u64 wanted) {
  return min_u64(min_u64(wanted, copse_region_most), copse_annotate_reserve_most() / 8 * 7);
}
#else
static u64 at_most(u64 wanted) { return wanted; }
#endif

bool copse_region_start(void) {
  u64 wanted = at_most(load_relaxed(&copse_tunables.reserve));
  unsigned bits = highest_bit(wanted / REGIONS);
  if (bits > REGION_BITS_MAX) bits = REGION_BITS_MAX;
  for (; bits >= REGION_BITS_MIN; bits--) {
    char *base = copse_vm_reserve((u64)REGIONS << bits, (u64)1 << 30);
    if (!base) continue;
    copse_regions.base = base;
    copse_regions.bits = bits;
    own_next = 0;
    return true;
  }
  return false;
}

void *copse_region_own(u64 bytes, u64 alignment) {
  /* relaxed: claims are disjoint, and what is made of them is published by whoever made it. */
  u64 next = load_relaxed(&own_next);
  for (;;) {
    u64 at = round_up(next, alignment);
    if (at + bytes > region_size() || at + bytes < at) return NULL;
    if (cas_relaxed(&own_next, &next, at + bytes)) return region_base(REGION_OWN) + at;
  }
}

bool copse_region_own_commit(void *address, u64 bytes) {
  if (!copse_vm_commit(address, bytes)) return false;
  add_relaxed(&copse_region_own_bytes, bytes);
  return true;
}

void *copse_region_own_committed(u64 bytes, u64 alignment) {
  void *p = copse_region_own(bytes, alignment);
  return p && copse_region_own_commit(p, bytes) ? p : NULL;
}
