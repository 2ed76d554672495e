/* SPDX-License-Identifier: MIT */
/* What is live, by the stack that allocated it.  The table is static: at exit nothing is allocated any more. */
#include "report.h"
#include "check.h"
#include "region.h"
#include "report_place.h"
#include "stack.h"

#if INSTRUMENTED
#include <string.h>
#include <unistd.h>

/* Stacks beyond that are counted together, and the largest groups are printed. */
enum { GROUPS = 4096, PRINTED = 50 };

static struct group {
  u64 bytes, blocks;
  u32 stack;
} groups[GROUPS + 1];

static struct group *group_of(u32 stack) {
  u32 at = stack * 0x9E3779B1u >> 20;
  for (unsigned i = 0; i < GROUPS; i++) {
    struct group *g = &groups[(at + i) % GROUPS];
    if (!g->blocks) {
      g->stack = stack;
      return g;
    }
    if (g->stack == stack) return g;
  }
  return &groups[GROUPS];
}

static u64 count(unsigned class) {
  u64 blocks = 0;
  for (u64 slot = 0; (slot = copse_place_next(class, slot)) != ~(u64)0; slot++) {
    struct place place = copse_place_at(class, slot);
    if (copse_place_state(&place) != SIDE_LIVE) continue;
    struct group *g = group_of(place.side->alloc_stack);
    g->bytes += place.side->size;
    g->blocks++;
    blocks++;
  }
  return blocks;
}

/* Largest first; of equals the older stack. */
static bool before(const struct group *a, const struct group *b) {
  return a->bytes != b->bytes ? a->bytes > b->bytes : a->blocks && a->stack < b->stack;
}

u64 copse_report_leaks(void) {
  u64 blocks = 0, bytes = 0;
  memset(groups, 0, sizeof groups);
  for (unsigned class = 0; class <= CLASS_SPANS; class ++) blocks += count(class);
  if (!blocks) return 0;
  for (unsigned i = 0; i <= GROUPS; i++) bytes += groups[i].bytes;
  copse_report_say("copse: never freed: %llu bytes in %llu blocks", (unsigned long long)bytes,
                   (unsigned long long)blocks);
  struct group rest = groups[GROUPS];
  /* libc's qsort would allocate for an array of this size. */
  for (unsigned i = 0; i < PRINTED; i++) {
    unsigned largest = i;
    for (unsigned k = i + 1; k < GROUPS; k++)
      if (before(&groups[k], &groups[largest])) largest = k;
    struct group g = groups[largest];
    groups[largest] = groups[i];
    groups[i] = g;
    if (!g.blocks) break;
    copse_report_say("  %llu bytes in %llu blocks, allocated here:", (unsigned long long)g.bytes,
                     (unsigned long long)g.blocks);
    copse_stack_print(STDERR_FILENO, g.stack);
  }
  for (unsigned i = PRINTED; i < GROUPS; i++) {
    rest.bytes += groups[i].bytes;
    rest.blocks += groups[i].blocks;
  }
  if (rest.blocks)
    copse_report_say("  %llu bytes in %llu blocks, allocated elsewhere", (unsigned long long)rest.bytes,
                     (unsigned long long)rest.blocks);
  return blocks;
}

#else
typedef int copse_report_leaks_is_empty;
#endif
