/* SPDX-License-Identifier: MIT */
/*
 * For tests of what lies beneath the guard: caches, recyclers, pools.  In the instrumented library too they then work on
 * the class of the size they name, and find a freed slot in the cache at once; for its guard adds a redzone, and holds freed
 * slots back.  To be included behind all headers of copse.
 */
#ifndef COPSE_TESTS_BENEATH_H
#define COPSE_TESTS_BENEATH_H

#include "check.h"
#include "copse-inline.h"
#include "region.h"
#include "size_class.h"
#include "span.h"
#include <string.h>

#if INSTRUMENTED

static inline void *beneath_alloc(size_t size) { return class_hot_alloc(size); }
static inline void *beneath_alloc_zeroed(size_t size) {
  void *p = class_hot_alloc(size);
  return p ? memset(p, 0, size) : p;
}
static inline size_t beneath_alloc_batch(size_t size, size_t n, void *out[]) {
  size_t done = 0;
  while (done < n && (out[done] = class_hot_alloc(size))) done++;
  return done;
}
static inline void beneath_free(void *p) { copse_hot_free_by_address_(p); }
static inline void beneath_free_batch(size_t n, void *const p[]) {
  for (size_t i = 0; i < n; i++) copse_hot_free_by_address_(p[i]);
}

static inline size_t beneath_usable_size(const void *p) {
  return region_of(p) < region_spans() ? class_size((unsigned)region_of(p)) : copse_span_size(p);
}

#define copse_usable_size(p) beneath_usable_size(p)
#define copse_alloc(size) beneath_alloc(size)
#define copse_alloc_zeroed(size) beneath_alloc_zeroed(size)
#define copse_alloc_batch(size, n, out) beneath_alloc_batch((size), (n), (out))
#define copse_free(p, size) ((void)(size), beneath_free(p))
#define copse_free_unsized(p) beneath_free(p)
#define copse_free_batch(size, n, p) beneath_free_batch((n), (p))
#define copse_inline_alloc(size) beneath_alloc(size)
#define copse_inline_free(p, size) ((void)(size), beneath_free(p))

#endif

#endif
