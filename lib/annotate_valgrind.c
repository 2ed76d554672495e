/* SPDX-License-Identifier: MIT */
/*
 * valgrind, by its client requests: instructions that do nothing unless valgrind runs them.  Memory is without access
 * from fresh on, and only what was asked for becomes the caller's: what lies between is a redzone without another
 * request. Without valgrind's headers this is empty, and configure says so.
 */
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif
#include "annotate_tools.h"
#include "atomic.h"

#ifdef COPSE_INSTRUMENTED
#include <string.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

bool copse_valgrind_start(void) { return RUNNING_ON_VALGRIND; }

/* Undefined words are no references to its leak check. */
static void mark(char *own, u64 bytes, bool undefined) {
  if (undefined)
    VALGRIND_MAKE_MEM_UNDEFINED(own, bytes);
  else
    VALGRIND_MAKE_MEM_DEFINED(own, bytes);
}

/* Where it keeps origins, each page that is said to be undefined costs: those without memory hold no word. */
static void mark_where_resident(char *own, u64 pages, u64 page, bool undefined) {
  unsigned char resident[256];
  for (u64 n; pages; own += n * page, pages -= n) {
    n = min_u64(pages, sizeof resident);
    bool known = mincore(own, n * page, resident) == 0;
    for (u64 i = 0; i < n; i++)
      if (!known || resident[i] & 1) mark(own + i * page, page, undefined);
  }
}

static void mark_words(char *own, u64 bytes, bool undefined) {
  u64 page = (u64)sysconf(_SC_PAGESIZE);
  if ((uptr)own % page || bytes % page)
    mark(own, bytes, undefined);
  else
    mark_where_resident(own, bytes / page, page, undefined);
}

/* Which words are undefined: copse's own region's, and one of each class and of the spans. */
enum { RANGES = 64 };
static struct range {
  char *own;
  u64 bytes;
} ranges[RANGES];
static unsigned ranges_count; /* atomic */

void copse_valgrind_own_words(void *own, u64 bytes) {
  /* relaxed, as below: valgrind runs one thread at a time. */
  unsigned n = load_relaxed(&ranges_count);
  if (n == RANGES) return;
  ranges[n] = (struct range){own, bytes};
  store_relaxed(&ranges_count, n + 1);
  mark_words(own, bytes, true);
}

void copse_valgrind_enter(void) {
  unsigned n = load_relaxed(&ranges_count);
  if (likely(!n)) return;
  int saved = errno;
  for (unsigned i = 0; i < n; i++) mark_words(ranges[i].own, ranges[i].bytes, false);
  store_relaxed(&ranges_count, 0u);
  errno = saved;
}

void copse_valgrind_fresh(void *p, u64 bytes) { VALGRIND_MAKE_MEM_NOACCESS(p, bytes); }

void copse_valgrind_alloc(void *p, u64 size, bool zeroed) { VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, zeroed); }

/* A redzone other than 0 would take the end of the slot before. */
void copse_valgrind_free(void *p) { VALGRIND_FREELIKE_BLOCK(p, 0); }

bool copse_valgrind_readable(const void *word) {
  enum { NO_ACCESS = 3 }; /* it gives its bits of what may be accessed */
  u64 bits;
  return VALGRIND_GET_VBITS(word, &bits, sizeof bits) != NO_ACCESS;
}

void copse_valgrind_defined(void *p, u64 bytes) { VALGRIND_MAKE_MEM_DEFINED(p, bytes); }

void copse_valgrind_copy(void *to, const void *from, u64 bytes) {
  VALGRIND_DISABLE_ERROR_REPORTING;
  memcpy(to, from, bytes);
  VALGRIND_ENABLE_ERROR_REPORTING;
}

#else
bool copse_valgrind_start(void) { return false; }
void copse_valgrind_own_words(void *own, u64 bytes) { (void)own, (void)bytes; }
void copse_valgrind_enter(void) {}
void copse_valgrind_fresh(void *p, u64 bytes) { (void)p, (void)bytes; }
void copse_valgrind_alloc(void *p, u64 size, bool zeroed) { (void)p, (void)size, (void)zeroed; }
void copse_valgrind_free(void *p) { (void)p; }
bool copse_valgrind_readable(const void *word) { return word != NULL; }
void copse_valgrind_defined(void *p, u64 bytes) { (void)p, (void)bytes; }
void copse_valgrind_copy(void *to, const void *from, u64 bytes) { memcpy(to, from, bytes); }
#endif
#else
typedef int copse_annotate_valgrind_is_empty;
#endif
