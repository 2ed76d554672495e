/* SPDX-License-Identifier: MIT */
/*
 * The public interface: the hot path's functions, what they fall back to, and the rest of copse.h.
 * Every request is routed by size and alignment in size_class.h, every free by address.
 */
#include "copse.h"
#include "annotate.h"
#include "check.h"
#include "guard.h"
#include "pool.h"
#include "resort.h"
#include "size_class.h"
#include "span.h"
#include "start.h"
#include "stats.h"
#include "trim.h"
#include "tunables.h"
#include "tune.h"
#include "vm.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static cold_path void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

/* ---- allocate ---- */

void *copse_alloc_slow_(unsigned class) {
  int saved = errno;
  struct cache *c = copse_thread_cache();
  void *p = NULL;
  if (likely(c != NULL))
    p = copse_cache_refill_owner(c, class);
  else if (copse_started())
    p = copse_direct_alloc(region_at(0, class));
  if (unlikely(!p) && copse_started()) p = copse_resort_slot_owner(c, class);
  if (unlikely(!p)) return no_memory();
  if (likely(c != NULL)) copse_trim_peak(c);
  errno = saved;
  return p;
}

void *copse_alloc_large_(size_t size) { return copse_resort_span(size, 1, false); }

void *copse_alloc(size_t size) {
  if (INSTRUMENTED) return copse_guard_alloc(SITE("copse_alloc"), size, 0, false);
  return class_hot_alloc(size);
}

void *copse_alloc_zeroed(size_t size) {
  if (INSTRUMENTED) return copse_guard_alloc(SITE("copse_alloc_zeroed"), size, 0, true);
  if (unlikely(size > COPSE_CLASS_SIZE_MAX)) return copse_resort_span(size, 1, true);
  unsigned class = class_of_size(size);
  struct copse_hot_ *hot = copse_hot_of_thread_();
  bool zero = false;
  void *p;
  /* Memory at hand is cleared; where there is none, the pool may have some that is known to be zero. */
  if (size < ZERO_PAST_CACHE || load_relaxed(&hot->top[class])[-1]) {
    p = copse_hot_alloc_(class);
  } else {
    int saved = errno;
    struct cache *c = copse_thread_cache();
    p = copse_started() ? copse_direct_alloc_zero(region_at(c ? c->arena : 0, class), &zero) : NULL;
    if (likely(c && p)) copse_trim_peak(c);
    errno = saved;
    /* None in the pool: caches may have some. */
    if (unlikely(!p)) p = copse_hot_alloc_(class);
  }
  return p && !zero ? memset(p, 0, size) : p;
}

void *copse_alloc_aligned(size_t size, size_t alignment) {
  if (unlikely(!is_power_of_two(alignment) || alignment > COPSE_ALIGNMENT_MAX)) {
    errno = EINVAL;
    return NULL;
  }
  if (INSTRUMENTED) return copse_guard_alloc(SITE("copse_alloc_aligned"), size, alignment, false);
  unsigned class = copse_class_route(size, alignment);
  return likely(class != CLASS_NONE) ? copse_hot_alloc_(class) : copse_resort_span(size ? size : 1, alignment, false);
}

/* ---- free ---- */

void copse_free_slow_(void *p) {
  if (unlikely(!p)) return; /* for the drop-in, whose free(NULL) comes here because NULL is foreign */
  int saved = errno;
  u64 region = region_of(p);
  if (region >= region_spans()) {
    bool freed = region < region_own() && copse_span_free(p);
    must(freed); /* the guard has looked */
    (void)freed;
  } else {
    struct cache *c = copse_thread_cache_to_free();
    /* A thread that only now has a cache may find room in it. */
    if (c)
      copse_cache_spill_owner(c, (unsigned)region, p);
    else
      copse_direct_put(1, &p, NULL);
  }
  errno = saved;
}

void copse_free_unsized(void *ptr) {
  if (INSTRUMENTED)
    copse_guard_free(SITE_UNSIZED("copse_free_unsized"), ptr, 0, GUARD_ANY);
  else
    copse_hot_free_by_address_(ptr);
}

void copse_free(void *ptr, size_t size) {
  (void)size;
  if (INSTRUMENTED)
    copse_guard_free(SITE("copse_free"), ptr, size, 0);
  else
    copse_hot_free_by_address_(ptr);
}

void copse_free_aligned(void *ptr, size_t size, size_t alignment) {
  (void)size;
  (void)alignment;
  if (INSTRUMENTED)
    copse_guard_free(SITE("copse_free_aligned"), ptr, size, guard_alignment(alignment));
  else
    copse_hot_free_by_address_(ptr);
}

/* ---- sizes ---- */

size_t copse_usable_size(const void *ptr) {
  if (INSTRUMENTED) return copse_guard_size(SITE("copse_usable_size"), ptr);
  u64 region = region_of(ptr);
  return region < region_spans() ? class_size(region_class(region)) : copse_span_size(ptr);
}

size_t copse_good_size(size_t size) {
  if (INSTRUMENTED) return size ? size : 1;
  if (size <= COPSE_CLASS_SIZE_MAX) return class_size(class_of_size(size));
  if (size > PTRDIFF_MAX) return size;
  return round_up(size, copse_started() ? copse_vm_facts.page : (u64)sysconf(_SC_PAGESIZE));
}

/*
 * Whether an allocation may stay where it is: in its class, or in a power of two at most twice as large, which is as aligned as
 * anything below; and never in a span, which no bundle may hold.
 */
static bool stays(u64 region, u64 size) {
  if (region >= region_spans() || size > COPSE_CLASS_SIZE_MAX) return false;
  unsigned class = class_of_size(size), there = region_class(region);
  u64 room = class_size(there);
  return there == class || (there > class && is_power_of_two(room) && size > room / 2);
}

/*
 * What grows from REALLOC_SPAN on is likely to grow on: it becomes a span, which from there grows by pages and not by copies.
 * NULL: it is not such a one, or no span is to be had; a class may still serve it.
 */
static_assert(COPSE_SLOT_SIZE_ <= REALLOC_SPAN, "an inlined free relies on it");
static void *becomes_span(u64 region, u64 size) {
  u64 room = region < region_spans() ? class_size(region_class(region)) : 0;
  if (room < REALLOC_SPAN || size <= room || size > COPSE_CLASS_SIZE_MAX) return NULL;
  int saved = errno;
  void *p = copse_span_alloc(size, 1, false);
  if (p) copse_trim_peak(cache_of_thread());
  errno = saved;
  return p;
}

/* A span, in place or by moving its pages.  NULL: it is as it was, and errno too. */
static void *span_resized(void *ptr, u64 size) {
  int saved = errno;
  void *moved = size <= PTRDIFF_MAX ? copse_span_resize(ptr, size) : NULL;
  if (moved) copse_trim_peak(cache_of_thread());
  errno = saved;
  return moved;
}

/*
 * Whether what is a span may stay one.  Not where the size has a slot that an inlined free relies on: an alignment may have made a span
 * of few bytes.  `old_size` may be all that is usable, as it always is in the drop-in: what needs all the span's pages is no less
 * than it was.
 */
static bool stays_span(const void *ptr, u64 old_size, u64 size) {
  if (region_of(ptr) < region_spans() || size <= COPSE_SLOT_SIZE_) return false;
  return size > COPSE_CLASS_SIZE_MAX || size >= old_size || round_up(size, copse_vm_facts.page) == copse_span_size(ptr);
}

void *copse_realloc(void *ptr, size_t old_size, size_t new_size) {
  if (INSTRUMENTED) return copse_guard_realloc(SITE("copse_realloc"), ptr, old_size, new_size);
  if (!ptr) return copse_alloc(new_size);
  u64 region = region_of(ptr);
  if (stays(region, new_size)) return ptr;
  bool span = stays_span(ptr, old_size, new_size);
  void *fresh = span ? span_resized(ptr, new_size) : NULL;
  if (fresh) return fresh;
  fresh = becomes_span(region, new_size);
  int saved = errno;
  if (!fresh) fresh = copse_alloc(new_size);
  if (unlikely(!fresh)) {
    /* No room for both; but to find that out the last resort gave back what there was, and the growth alone may fit by now. */
    fresh = span ? span_resized(ptr, new_size) : NULL;
    if (fresh) errno = saved;
    return fresh;
  }
  memcpy(fresh, ptr, min_u64(old_size, new_size));
  copse_hot_free_by_address_(ptr);
  return fresh;
}

/* ---- giving memory back ---- */

size_t copse_trim(void) {
  int saved = errno;
  if (INSTRUMENTED && !copse_started()) return 0;
  copse_annotate_enter();
  size_t bytes = copse_guard_flush();
  if (copse_started()) bytes += copse_trim_all(cache_of_thread());
  copse_guard_check(true);
  copse_annotate_leave();
  errno = saved;
  return bytes;
}

void copse_checkpoint(void) {
  struct cache *c = cache_of_hot(copse_hot_of_thread_());
  /* relaxed: whether to look closer; the flush itself asks again. */
  if (likely(load_relaxed(&c->seen) == load_relaxed(&copse_generation)) || hot_is_dummy(&c->hot)) return;
  int saved = errno;
  copse_annotate_enter();
  copse_cache_follow_owner(c);
  copse_guard_check(false);
  copse_annotate_leave();
  errno = saved;
}

void copse_thread_flush(void) {
  int saved = errno;
  struct cache *c = cache_of_thread();
  if (INSTRUMENTED && !c) return;
  copse_annotate_enter();
  if (c) copse_cache_flush_owner(c);
  copse_guard_check(false);
  copse_annotate_leave();
  errno = saved;
}

size_t copse_trim_pending(void) { return copse_started() ? copse_trim_behind() : 0; }

/* ---- looking at it ---- */

void copse_stats(struct copse_stats *out) {
  if (INSTRUMENTED && !copse_guard_nonnull(SITE("copse_stats"), out)) return;
  memset(out, 0, sizeof *out);
  if (!copse_started()) return;
  copse_annotate_enter();
  copse_stats_take(out);
  copse_annotate_leave();
}

size_t copse_stats_json(char *buffer, size_t size) {
  struct copse_stats stats;
  if (INSTRUMENTED && size && !copse_guard_nonnull(SITE("copse_stats_json"), buffer)) return 0;
  copse_stats(&stats);
  return copse_stats_print(&stats, buffer, size);
}

int copse_tune_get(const char *name, uint64_t *value) {
  if (INSTRUMENTED && !copse_guard_nonnull(SITE("copse_tune_get"), name)) return EINVAL;
  if (INSTRUMENTED && !copse_guard_nonnull(SITE("copse_tune_get"), value)) return EINVAL;
  int error = copse_parameter_get(name, value);
  if (!error) copse_annotate_written(value, sizeof *value);
  return error;
}

int copse_tune_set(const char *name, uint64_t value) {
  if (INSTRUMENTED && !copse_guard_nonnull(SITE("copse_tune_set"), name)) return EINVAL;
  return copse_start_parameter(name, value);
}

/* ---- misuse ---- */

void copse_on_misuse(void (*handler)(const struct copse_misuse *misuse, void *context), void *context) {
#if INSTRUMENTED
  copse_report_handler(handler, context);
#else
  (void)handler; /* in release nothing is found */
  (void)context;
#endif
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *copse_version(void) {
  return TEXT(COPSE_VERSION_MAJOR) "." TEXT(COPSE_VERSION_MINOR) "." TEXT(COPSE_VERSION_PATCH)
#if INSTRUMENTED
    " instrumented"
#endif
    ;
}
