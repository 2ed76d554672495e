/* SPDX-License-Identifier: MIT */
#include "bundle.h"
#include "region.h"

struct bundle *copse_bundles_made;

struct bundle *copse_bundle_make(unsigned n) {
  struct bundle *made = copse_region_own_committed((u64)n * BUNDLE_BYTES, BUNDLE_BYTES);
  if (!made) return n > 1 ? copse_bundle_make(1) : NULL;
  for (unsigned i = 0; i < n; i++) made[i].batch = i + 1 < n ? &made[i + 1] : NULL;
  made->made_count = n;
  /* relaxed: the CAS below checks it. */
  struct bundle *before = load_relaxed(&copse_bundles_made);
  do made->made = before;
  /* release: pairs with nothing but the order in which a child of fork finds the two. */
  while (!cas_release(&copse_bundles_made, &before, made));
  return made;
}
