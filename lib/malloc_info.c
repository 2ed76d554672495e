/* SPDX-License-Identifier: MIT */
/*
 * The part of the malloc family that answers programs: malloc_trim, mallopt, mallinfo, malloc_info.  glibc's words are
 * filled with what comes closest here:
 *
 *   glibc says          here
 *   arena               bytes committed that are in no live span: for slots, in cached spans, and where spans were
 *   ordblks             free slots, cached ones included
 *   hblks, hblkhd       live spans, and their bytes
 *   fsmblks             bytes of slots that lie in caches
 *   uordblks            bytes of live slots
 *   fordblks            bytes of free slots, cached ones included
 *   keepcost            bytes that a trim could give back: those of free slots with pages, and cached spans
 *
 * The snapshot is taken by copse_stats, which allocates nothing.  malloc_info writes to a FILE, whose buffer the C
 * library may allocate: no lock of copse is held meanwhile.
 */
#include "malloc_summary.h"
#include "malloc_words.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

/* ------------------------------------------------------------------ asking for something */

/* `pad` is how much to leave at the top of glibc's heap; there is no top here. Returns 1 when memory was given back. */
EXPORT int malloc_trim(size_t pad) {
  (void)pad;
  return copse_trim() > 0;
}

/*
 * Returns 1 for success, 0 for refusal.  glibc's parameters that shape its own heap are hints, and taken as such: they
 * succeed without effect, where their value is one that glibc takes.  M_PERTURB asks for an effect that a program could
 * see (memory filled), and there is none, so it is refused, and so is any other.
 */
EXPORT int mallopt(int parameter, int value) {
  switch (parameter) {
  case M_MXFAST:
    return value >= 0 && (size_t)value <= 80 * sizeof(size_t) / 4;
  case M_ARENA_TEST: /* 0, which is the default, and what is negative too */
  case M_ARENA_MAX:
  case M_MMAP_THRESHOLD:
  case M_MMAP_MAX:
  case M_TRIM_THRESHOLD:
  case M_TOP_PAD:
  case M_CHECK_ACTION:
    return 1;
  default:
    return 0;
  }
}

/* ------------------------------------------------------------------ answers */

EXPORT struct mallinfo2 mallinfo2(void) {
  struct copse_stats stats;
  copse_stats(&stats);
  struct summary sum = summarise(&stats);
  return (struct mallinfo2){
      .arena = stats.committed > stats.span_bytes ? stats.committed - stats.span_bytes : 0,
      .ordblks = sum.free_slots,
      .hblks = stats.spans,
      .hblkhd = stats.span_bytes,
      .fsmblks = sum.cached_bytes,
      .uordblks = sum.live_bytes,
      .fordblks = sum.free_bytes,
      .keepcost = sum.resident_free_bytes + stats.span_cached,
  };
}

/* The old interface has ints: what does not fit is given as INT_MAX, not wrapped. */
static int as_int(size_t value) { return value > INT_MAX ? INT_MAX : (int)value; }

EXPORT struct mallinfo mallinfo(void) {
  struct mallinfo2 wide = mallinfo2();
  return (struct mallinfo){
      .arena = as_int(wide.arena),
      .ordblks = as_int(wide.ordblks),
      .hblks = as_int(wide.hblks),
      .hblkhd = as_int(wide.hblkhd),
      .fsmblks = as_int(wide.fsmblks),
      .uordblks = as_int(wide.uordblks),
      .fordblks = as_int(wide.fordblks),
      .keepcost = as_int(wide.keepcost),
  };
}

/* One XML element, in glibc's shape: one heap, its sizes by class, the totals.  As glibc, options must be 0. */
EXPORT int malloc_info(int options, FILE *file) {
  if (options != 0) return EINVAL;
  struct copse_stats stats;
  copse_stats(&stats);
  struct summary sum = summarise(&stats);
  fprintf(file, "<malloc version=\"copse-%s\">\n<heap nr=\"0\">\n<sizes>\n", copse_version());
  for (unsigned i = 0; i < COPSE_CLASSES; i++) {
    const struct copse_class_stats *class = &stats.classes[i];
    u64 free_slots = class->free + class->cached;
    if (!class->blocks) continue;
    fprintf(file,
            "<size from=\"%" PRIu64 "\" to=\"%" PRIu64 "\" total=\"%" PRIu64 "\" count=\"%" PRIu64 "\" live=\"%" PRIu64
            "\" cached=\"%" PRIu64 "\"/>\n",
            i ? stats.classes[i - 1].size + 1 : 1, class->size, free_slots * class->size, free_slots, class_live(class),
            class->cached);
  }
  fprintf(file,
          "</sizes>\n<total type=\"rest\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n"
          "<total type=\"mmap\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n"
          "<system type=\"current\" size=\"%" PRIu64 "\"/>\n<aspace type=\"total\" size=\"%" PRIu64 "\"/>\n"
          "</heap>\n</malloc>\n",
          sum.free_slots, sum.free_bytes, stats.spans, stats.span_bytes, stats.committed + stats.metadata,
          stats.reserved);
  return ferror(file) ? -1 : 0;
}
