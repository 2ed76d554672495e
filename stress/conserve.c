/* SPDX-License-Identifier: MIT */
/* Every slot that exists is counted once.  `live` is the hands' own count; the library counts the others one by one, none by another. */
#include "state.h"
#include "pool.h"
#include "span.h"
#include "start.h"
#include <stdio.h>

void stress_balance(uint64_t lost_most) {
  static struct copse_stats stats;
  uint64_t lost = 0;
  int64_t spans = 0;
  if (!copse_started()) return;
  copse_stats(&stats);
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    int64_t live = 0;
    for (unsigned i = 0; i < HANDS; i++) live += stress_hands[i].live[class];
    uint64_t found = c->quarantined + c->cached + c->free + c->detached + c->uncommitted + c->lost;
    if (live < 0 || (uint64_t)live + found != 64 * c->blocks) {
      printf("# slots of %llu bytes: live %lld + quarantined %llu + cached %llu + free %llu + detached %llu + uncommitted %llu + lost %llu, "
             "of 64 x %llu\n",
             (unsigned long long)c->size, (long long)live, (unsigned long long)c->quarantined, (unsigned long long)c->cached,
             (unsigned long long)c->free, (unsigned long long)c->detached, (unsigned long long)c->uncommitted,
             (unsigned long long)c->lost, (unsigned long long)c->blocks);
      require(!"every slot is counted once");
    }
    require(c->detached == 0 && c->bare <= c->free);
    lost += c->lost;
  }
  require(lost <= lost_most);
  for (unsigned i = 0; i < HANDS; i++) spans += stress_hands[i].spans;
  /* The instrumented library holds freed spans back. */
#ifdef COPSE_INSTRUMENTED
  require(spans >= 0 && stats.spans >= (uint64_t)spans);
#else
  require(spans >= 0 && stats.spans == (uint64_t)spans);
#endif
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) require(copse_pool_valid(p));
  require(copse_span_valid());
}
