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

/* One arena, or room for all of them: each layout from its largest down to its least. */
static bool reserve(u64 wanted, unsigned arenas) {
  bool one = arenas == 1;
  unsigned regions = one ? ARENA_REGIONS : CLASS_REGIONS + OTHER_REGIONS;
  unsigned most = one ? REGION_BITS_MAX : REGION_BITS_MAX_ARENAS, least = one ? REGION_BITS_MIN : REGION_BITS_MIN_ARENAS;
  unsigned bits = highest_bit(wanted / regions);
  if (bits > most) bits = most;
  for (; bits >= least; bits--) {
    u64 classes = (u64)(one ? ARENA_REGIONS : CLASS_REGIONS) << bits;
    char *base = copse_vm_reserve((u64)regions << bits, max_u64(classes, (u64)1 << 30));
    if (!base) continue;
    copse_regions = (struct regions){base, bits, arenas, one ? CLASS_SPANS : CLASS_REGIONS, regions};
    own_next = copse_region_own_bytes = 0;
    return true;
  }
  return false;
}

bool copse_region_start(void) {
  u64 wanted = at_most(load_relaxed(&copse_tunables.reserve));
  /* relaxed: a parameter stands on its own. */
  unsigned arenas = (unsigned)load_relaxed(&copse_tunables.arenas);
  return (arenas > 1 && reserve(wanted, arenas)) || reserve(wanted, 1);
}

void *copse_region_own(u64 bytes, u64 alignment) {
  /* relaxed: claims are disjoint, and what is made of them is published by whoever made it. */
  u64 next = load_relaxed(&own_next);
  for (;;) {
    u64 at = round_up(next, alignment);
    if (at + bytes > region_size() || at + bytes < at) return NULL;
    if (cas_relaxed(&own_next, &next, at + bytes)) return region_base(region_own()) + at;
  }
}

void *copse_region_own_committed(u64 bytes, u64 alignment) {
  /* relaxed: as above. */
  u64 next = load_relaxed(&own_next), at;
  do {
    at = round_up(next, alignment);
    if (at + bytes > region_size() || at + bytes < at) return NULL;
    /* Accessible first, so that a refusal costs no room; whoever is faster has it made so, too. */
    if (!copse_vm_access(region_base(region_own()) + at, bytes)) return NULL;
  } while (!cas_relaxed(&own_next, &next, at + bytes));
  add_relaxed(&copse_region_own_bytes, bytes);
  return region_base(region_own()) + at;
}
