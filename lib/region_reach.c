/* SPDX-License-Identifier: MIT */
/* Memory of the instrumented library that is committed as it is reached. */
#include "region.h"
#include "atomic.h"
#include "check.h"
#include "vm.h"

#if INSTRUMENTED

static bool step_reached(const struct reach *r, u64 step) {
  /* acquire: pairs with the release in copse_region_reach: the step is accessible. */
  return load_acquire(&r->steps[step / 64]) >> (step % 64) & 1;
}

bool copse_region_reached(const struct reach *r, u64 at) { return step_reached(r, at / REACH_STEP); }

bool copse_region_reach(const struct reach *r, u64 from, u64 to) {
  for (u64 step = from / REACH_STEP; step * REACH_STEP < to; step++) {
    if (step_reached(r, step)) continue;
    u64 last = step;
    while ((last + 1) * REACH_STEP < to && !step_reached(r, last + 1)) last++;
    /* Several may do it at once: each makes it accessible before it says so. */
    u64 bytes = (last + 1 - step) * REACH_STEP;
    if (!copse_vm_access(r->base + step * REACH_STEP, bytes)) return false;
    u64 fresh = 0;
    for (; step <= last; step++) {
      u64 bit = (u64)1 << (step % 64);
      /* release: pairs with the acquire above. */
      if (!(or_release(&r->steps[step / 64], bit) & bit)) fresh += REACH_STEP;
    }
    step--;
    /* Figures: what two threads committed at once counts once. */
    add_relaxed(&copse_region_own_bytes, fresh);
  }
  return true;
}

#else
typedef int copse_region_reach_is_empty;
#endif
