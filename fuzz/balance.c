/* SPDX-License-Identifier: MIT */
#include "balance.h"
#include "api.h"
#include "copse.h"
#include "expect.h"
#include "pool.h"
#include "region.h"
#include "trim.h"
#include "tunables.h"
#include "tune.h"
#include "vm.h"

static uint64_t not_live(const struct copse_class_stats *c) {
  return c->quarantined + c->cached + c->free + c->detached + c->uncommitted + c->lost;
}

/*
 * By the address.  Of the release library what is usable says it too: that is another witness.  What is aligned beyond the largest
 * class is a span, however small, and what grew; COPSE_CLASSES stands for those.
 */
static unsigned class_of(const struct copse_stats *stats, const struct live *l) {
  if (region_of(l->at) >= region_spans()) return COPSE_CLASSES;
  unsigned class = region_class(region_of(l->at));
#ifdef COPSE_INSTRUMENTED
  expect(stats->classes[class].size >= l->usable);
#else
  expect(stats->classes[class].size == l->usable);
#endif
  return class;
}

static void check(const struct copse_stats *stats, const struct model *const models[], size_t n, bool emptied) {
  uint64_t live[COPSE_CLASSES + 1] = {0}, span_bytes = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < models[i]->count; k++) {
      unsigned class = class_of(stats, &models[i]->live[k]);
      live[class]++;
      if (class == COPSE_CLASSES) span_bytes += models[i]->live[k].usable;
    }
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats->classes[class];
    expect(live[class] + not_live(c) == 64 * c->blocks);
  }
#ifdef COPSE_INSTRUMENTED
  expect(emptied ? stats->spans == live[COPSE_CLASSES] : stats->spans >= live[COPSE_CLASSES]);
  expect(stats->span_bytes >= span_bytes);
#else
  (void)emptied;
  expect(stats->spans == live[COPSE_CLASSES] && stats->span_bytes == span_bytes);
#endif
}

void balance_check(const struct model *const models[], size_t n, bool emptied) {
  static struct copse_stats stats;
  copse_stats(&stats);
  check(&stats, models, n, emptied);
  expect(stats.in_use <= stats.committed || stats.huge_2m || stats.huge_1g);
}

void balance_reset(void) {
  for (const struct parameter *p = copse_parameters; p->name; p++)
    if (!p->early) expect(copse_tune_set(p->name, p->initial) == 0);
  /* What is a peak is not for the inputs before to say; nor which pools have gone up and down. */
  __atomic_store_n(&copse_vm_counters.mark, PEAK_STEP, __ATOMIC_RELAXED);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) p->given = p->retaken = p->patience = p->left_alone = 0;
}

/* Slots that never go: explicit huge pages are not given back, nor what lies between two of a pool. */
static uint64_t on_huge_pages(unsigned class, unsigned arenas) {
  uint64_t slots = 0;
  for (unsigned arena = 0; arena < arenas; arena++) {
    const struct pool *p = &copse_pools[region_at(arena, class)];
    if (p->huge.to) slots += p->huge.to - p->huge.from + 128; /* with the rest of the blocks at both ends */
  }
  return slots;
}

/*
 * All pages went back.  What stays in use is at most the end of each pool, one an arena, where the last page goes on behind what exists: its last
 * slot, or the last blocks of 64 that have a part in that page.
 */
static void check_given_back(const struct copse_stats *stats) {
  uint64_t in_use = 0, page = stats->page_size;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats->classes[class];
    uint64_t warm = c->free - c->bare;
    expect(not_live(c) == 64 * c->blocks && c->bare <= c->free && !c->cached && !c->detached && !c->quarantined && !c->lost);
    uint64_t ends = stats->arenas * (page + (c->size >= 4096 ? 1 : 64) * c->size);
    expect(warm * c->size < ends + on_huge_pages(class, (unsigned)stats->arenas) * c->size);
    in_use += warm * c->size;
  }
  expect(stats->in_use == in_use);
}

void balance_end(struct model *const models[], size_t n) {
  static struct copse_stats stats;
  const struct model *seen[8];
  expect(n <= sizeof seen / sizeof *seen);
  balance_reset();
  for (size_t i = 0; i < n; i++) {
    seen[i] = models[i];
    while (models[i]->count) api_free_one(models[i], models[i]->count - 1, 0);
  }
  copse_trim();
  balance_check(seen, n, true);
  expect(copse_trim_pending() == 0);
  expect(copse_trim() == 0); /* nothing was freed since */
  copse_stats(&stats);
  if (!stats.page_size) return; /* nothing was ever allocated */
  copse_trim_shrink();
  copse_stats(&stats);
  expect(stats.spans == 0 && stats.span_bytes == 0 && stats.span_cached == 0);
  check_given_back(&stats);
}
