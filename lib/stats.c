/* SPDX-License-Identifier: MIT */
#include "stats.h"
#include "cache.h"
#include "pool.h"
#include "quarantine.h"
#include "span.h"
#include "vm.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void take_class(unsigned class, u64 cached, struct copse_class_stats *out) {
  *out = (struct copse_class_stats){
    .size = class_size(class),
    .cached = cached,
    .quarantined = copse_quarantine_slots(class),
  };
  unsigned arenas = copse_pools_arenas();
  for (unsigned arena = 0; arena < arenas; arena++) {
    struct pool_count count;
    copse_pool_count(&copse_pools[region_at(arena, class)], &count);
    out->blocks += count.blocks;
    out->free += count.free;
    out->detached += count.detached;
    out->uncommitted += count.uncommitted;
    out->bare += count.bare;
    out->lost += count.lost;
    out->locked += count.locked;
  }
}

void copse_stats_take(struct copse_stats *out) {
  memset(out, 0, sizeof *out);
  out->page_size = copse_vm_facts.page;
  out->reserved = region_reserved();
  out->arenas = copse_regions.arenas;
  /* relaxed, all of them: figures, each on its own. */
  out->committed = load_relaxed(&copse_vm_counters.committed);
  out->in_use = load_relaxed(&copse_vm_counters.in_use);
  out->metadata = load_relaxed(&copse_region_own_bytes);
  out->spans = load_relaxed(&copse_span_counters.spans);
  out->span_bytes = load_relaxed(&copse_span_counters.bytes);
  out->span_cached = load_relaxed(&copse_span_counters.cached);
  out->generation = load_relaxed(&copse_generation);
  out->system_calls = load_relaxed(&copse_vm_counters.system_calls);
  out->decommitted = load_relaxed(&copse_vm_counters.decommitted);
  out->huge_1g = load_relaxed(&copse_vm_counters.huge_1g);
  out->huge_2m = load_relaxed(&copse_vm_counters.huge_2m);
  out->huge_advised = load_relaxed(&copse_vm_counters.huge_advised);
  out->huge_1g_fallbacks = load_relaxed(&copse_vm_counters.huge_1g_fallbacks);
  out->huge_2m_fallbacks = load_relaxed(&copse_vm_counters.huge_2m_fallbacks);
  for (struct cache *c = copse_cache_first(); c; c = c->next) {
    out->threads += load_relaxed(&c->taken);
    out->refills += load_relaxed(&c->refills);
    out->flushes += load_relaxed(&c->flushes);
    out->pops += load_relaxed(&c->pops);
    out->pushes += load_relaxed(&c->pushes);
  }
  u64 cached[CLASSES];
  copse_cache_count_all(cached);
  for (unsigned class = 0; class < CLASSES; class++) take_class(class, cached[class], &out->classes[class]);
}

struct text {
  char *at;
  size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void print(struct text *t, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(t->at, t->room, format, arguments);
  va_end(arguments);
  if (n <= 0) return;
  size_t moved = (size_t)n < t->room ? (size_t)n : t->room ? t->room - 1 : 0;
  if (t->at) t->at += moved;
  t->room -= moved;
  t->length += (size_t)n;
}

size_t copse_stats_print(const struct copse_stats *stats, char *buffer, size_t size) {
  struct text t = {size ? buffer : NULL, size, 0};
  const char *separator = "{";
#define FIELD(of, name) print(&t, "%s\"" #name "\": %llu", separator, (unsigned long long)(of)->name), separator = ", "
  FIELD(stats, page_size);
  FIELD(stats, reserved);
  FIELD(stats, arenas);
  FIELD(stats, committed);
  FIELD(stats, in_use);
  FIELD(stats, metadata);
  FIELD(stats, spans);
  FIELD(stats, span_bytes);
  FIELD(stats, span_cached);
  FIELD(stats, threads);
  FIELD(stats, generation);
  FIELD(stats, refills);
  FIELD(stats, flushes);
  FIELD(stats, pops);
  FIELD(stats, pushes);
  FIELD(stats, system_calls);
  FIELD(stats, decommitted);
  FIELD(stats, huge_1g);
  FIELD(stats, huge_2m);
  FIELD(stats, huge_advised);
  FIELD(stats, huge_1g_fallbacks);
  FIELD(stats, huge_2m_fallbacks);
  print(&t, ", \"classes\": [");
  const char *between = "";
  for (unsigned class = 0; class < CLASSES; class++) {
    const struct copse_class_stats *c = &stats->classes[class];
    print(&t, "%s", between);
    between = ", ";
    separator = "{";
    FIELD(c, size);
    FIELD(c, blocks);
    FIELD(c, cached);
    FIELD(c, free);
    FIELD(c, detached);
    FIELD(c, uncommitted);
    FIELD(c, bare);
    FIELD(c, quarantined);
    FIELD(c, lost);
    FIELD(c, locked);
    print(&t, "}");
  }
  print(&t, "]}");
#undef FIELD
  return t.length;
}
