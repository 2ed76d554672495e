/* SPDX-License-Identifier: MIT */
#include "bundle.h"
#include "region.h"

struct bundle *copse_bundle_make(unsigned n) {
  struct bundle *made = copse_region_own_committed((u64)n * BUNDLE_BYTES, BUNDLE_BYTES);
  if (!made) return n > 1 ? copse_bundle_make(1) : NULL;
  for (unsigned i = 0; i < n; i++) made[i].batch = i + 1 < n ? &made[i + 1] : NULL;
  return made;
}
