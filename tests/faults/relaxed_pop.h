/* SPDX-License-Identifier: MIT */
/* A planted fault: a bundle is taken without the acquire that pairs with its publication. */
#include "atomic.h"
#undef load_acquire
#define load_acquire(p) load_relaxed(p)
#define cas_pair_acquire(p, expected, desired) \
  ({ \
    struct pair *fault_expected_ = (expected); \
    CAS_PAIR_((p), fault_expected_, (desired), __ATOMIC_RELAXED, __ATOMIC_RELAXED); \
    if (!done) *fault_expected_ = pair_from(seen); \
    done; \
  })
