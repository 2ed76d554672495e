/* SPDX-License-Identifier: MIT */
/*
 * Many at once: runs of slots go straight between the caller's array and the thread's bundle; each run moves its top once.
 * Between runs the slow path changes bundles, as it does for single ones.
 */
#include "annotate.h"
#include "atomic.h"
#include "bundle.h"
#include "check.h"
#include "copse.h"
#include "copse-inline.h"
#include "guard.h"
#include "size_class.h"

/* One by one: spans, and what the guard makes. */
static size_t alloc_single(size_t size, size_t n, void *out[]) {
  size_t done = 0;
  for (; done < n; done++) {
    void *p = INSTRUMENTED ? copse_guard_alloc(SITE("copse_alloc_batch"), size, 0, false) : copse_alloc_large_(size);
    if (unlikely(!p)) break;
    out[done] = p;
  }
  copse_annotate_written(out, done * sizeof *out);
  return done;
}

size_t copse_alloc_batch(size_t size, size_t n, void *out[]) {
  if (INSTRUMENTED && n && !copse_guard_nonnull(SITE("copse_alloc_batch"), out)) return 0;
  if (INSTRUMENTED || unlikely(size > COPSE_CLASS_SIZE_MAX)) return alloc_single(size, n, out);
  unsigned class = class_of_size(size);
  size_t done = 0;
  while (done < n) {
    struct copse_hot_ *hot = copse_hot_of_thread_();
    /* relaxed: this thread alone writes it. */
    void **top = load_relaxed(&hot->top[class]), **from = top, *p;
    while (done < n && (p = top[-1])) {
      out[done++] = p;
      top--;
    }
    /* relaxed: as in copse_hot_alloc_.  A thread without a cache looks at a bundle that is not its own. */
    if (top != from) store_relaxed(&hot->top[class], top);
    if (done == n) break;
    if (!(p = copse_alloc_slow_(class))) break;
    out[done++] = p;
  }
  return done;
}

/* By their addresses, as single ones: each knows its region and its arena. */
void copse_free_batch(size_t size, size_t n, void *const ptrs[]) {
  if (INSTRUMENTED) {
    if (n && !copse_guard_nonnull(SITE("copse_free_batch"), ptrs)) return;
    for (size_t i = 0; i < n; i++) copse_guard_free(SITE("copse_free_batch"), ptrs[i], size, 0);
    return;
  }
  (void)size;
  size_t done = 0;
  while (done < n) {
    struct copse_hot_ *hot = copse_hot_of_thread_();
    u64 place = copse_hot_place_(hot, ptrs[done]);
    if (place < COPSE_TOPS_) {
      /* relaxed: this thread alone writes it. */
      void **top = load_relaxed(&hot->top[place]), **from = top;
      const uptr key = hot->key, bits = hot->bits; /* which no store below is to change, for all the compiler knows */
      while (done < n && ((uptr)top & (BUNDLE_BYTES - 1)) && ((uptr)ptrs[done] ^ key) >> bits == place) {
        store_relaxed(top++, ptrs[done++]); /* relaxed: statistics read the slots of bundles that are in use */
      }
      if (top != from) {
        /* release: as in copse_hot_free_at_. */
        store_release(&hot->top[place], top);
        continue;
      }
    }
    copse_free_slow_(ptrs[done++]);
  }
}
