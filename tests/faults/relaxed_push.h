/* SPDX-License-Identifier: MIT */
/* A planted fault: a bundle is published without the release that makes what was done to its slots visible. */
#include "atomic.h"
#define cas_pair_release(p, expected, desired) \
  ({ \
    struct pair *fault_expected_ = (expected); \
    CAS_PAIR_((p), fault_expected_, (desired), __ATOMIC_RELAXED, __ATOMIC_RELAXED); \
    if (!done) *fault_expected_ = pair_from(seen); \
    done; \
  })
