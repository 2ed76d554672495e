/* SPDX-License-Identifier: MIT */
#include "recycler.h"
#include "check.h"

static struct bundle *bundle_in(u64 word) { return (struct bundle *)(word & ~RECYCLER_COUNT); }

bool copse_recycler_push_mpmc(struct recycler *r, struct bundle *b, unsigned cap) {
  must(b && !((uptr)b & RECYCLER_COUNT) && cap <= RECYCLER_MAX);
  struct pair head;
  /* acquire: the low half is read after it, so that a torn pair is an old generation with a newer bundle, which the CAS
   * rejects.  Pairs with the release of a push, which alone changes it: the halves are written as one. */
  head.high = load_acquire(&r->head.high);
  /* relaxed: a push reads nothing through what it finds. */
  head.low = load_relaxed(&r->head.low);
  for (;;) {
    u64 count = head.low & RECYCLER_COUNT;
    if (count >= cap) return false;
    /* relaxed: made visible by the CAS below; a pop that reads it stale fails its own. */
    store_relaxed(&b->next, bundle_in(head.low));
    struct pair next = {(uptr)b | (count + 1), head.high + 1};
    /* release: pairs with the acquire of the pop that takes `b`: its slots and `next` are visible there. */
    if (cas_pair_release(&r->head, &head, next)) return true;
  }
}

struct bundle *copse_recycler_pop_mpmc(struct recycler *r) {
  struct pair head;
  /* acquire: as in push. */
  head.high = load_acquire(&r->head.high);
  /* acquire: pairs with the release of the push that put this bundle on top: its `next` is read below. */
  head.low = load_acquire(&r->head.low);
  for (;;) {
    struct bundle *b = bundle_in(head.low);
    if (!b) return NULL;
    u64 count = head.low & RECYCLER_COUNT;
    /* relaxed: ordered by the acquire above, or by that of the failed CAS. */
    struct bundle *below = load_relaxed(&b->next);
    struct pair next = {(uptr)below | (count - 1), head.high};
    /* acquire: pairs with the release of the push of `b`: its slots are visible.  On failure too: the new top's `next`
     * is read in the next round. */
    if (cas_pair_acquire(&r->head, &head, next)) return b;
  }
}

u64 copse_recycler_slots(const struct recycler *r) {
  u64 slots = 0;
  /* acquire: pairs with the release of the push of the top bundle: its `next` and depth are visible, and through it those
   * of the bundles below. */
  u64 word = load_acquire(&r->head.low);
  struct bundle *b = bundle_in(word);
  for (u64 i = word & RECYCLER_COUNT; i && b; i--) {
    slots += bundle_depth(b);
    b = load_relaxed(&b->next);
  }
  return slots;
}
