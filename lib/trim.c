/* SPDX-License-Identifier: MIT */
#include "trim.h"
#include "pool.h"
#include "span.h"
#include "tunables.h"

/*
 * Returns to the pools what lies in this thread's cache, in the spares of all threads and in the recyclers.  A thread that has no
 * cache (`mine` is NULL) has one meanwhile, unless there is none to be had.
 */
static void gather(struct cache *mine, void (*empty)(struct cache *)) {
  struct cache *c = mine ? mine : copse_cache_attach();
  if (!c) return;
  empty(c);
  for (struct cache *other = copse_cache_first(); other; other = other->next)
    for (unsigned class = 0; class < CLASSES; class++) copse_cache_take_spare(c, class, other);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_cache_drain(c, p->region);
  if (!mine) copse_cache_detach_owner(c);
}

/* Decommits what is free.  Returns bytes. */
static u64 give_back(u64 cooldown) {
  u64 bytes = copse_span_trim();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) bytes += copse_pool_trim(p, cooldown);
  return bytes;
}

void copse_trim_reclaim(struct cache *mine) {
  gather(mine, copse_cache_flush_owner);
  give_back(0);
}

void copse_trim_shrink(void) {
  copse_span_shrink();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_pool_shrink(p);
}

/* The same, and has the other threads follow. */
static void gather_all(struct cache *mine) {
  /* release: pairs with the acquire in copse_cache_follow_owner. */
  add_release(&copse_generation, (u64)1);
  gather(mine, copse_cache_follow_owner);
}

u64 copse_trim_all(struct cache *mine) {
  gather_all(mine);
  /* relaxed: a parameter stands on its own. */
  return give_back(load_relaxed(&copse_tunables.cooldown));
}

void copse_trim_at_peak(struct cache *mine) {
  /* relaxed: figures, as the parameter; nothing is reached through them. */
  u64 in_use = load_relaxed(&copse_vm_counters.in_use), mark = load_relaxed(&copse_vm_counters.mark);
  u64 percent = load_relaxed(&copse_tunables.peak_trim);
  u64 step = max_u64(in_use / 100 * (percent ? percent : PEAK_TRIM_ASKED), PEAK_STEP);
  /* Of those that come at once, one. */
  if (in_use <= mark || !cas_relaxed(&copse_vm_counters.mark, &mark, in_use + step) || !percent) return;
  gather_all(mine);
  copse_span_trim();
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) copse_pool_trim_freed(p);
}

u64 copse_trim_behind(void) {
  /* relaxed: a figure; whoever asks has called copse_trim before, or raced with it. */
  u64 generation = load_relaxed(&copse_generation), behind = 0;
  for (struct cache *c = copse_cache_first(); c; c = c->next)
    /* acquire: pairs with the release in copse_cache_follow_owner: who is not behind has flushed. */
    if (load_relaxed(&c->taken) && load_acquire(&c->seen) != generation && copse_cache_holds(c)) behind++;
  return behind;
}
