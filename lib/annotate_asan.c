/* SPDX-License-Identifier: MIT */
/*
 * AddressSanitizer: a byte of shadow for 8 of the program, at (address >> 3) + offset.
 *
 *   0 all 8 may be accessed      0xfd freed: "heap-use-after-free"
 *   n the first n may            0xfa behind or before an allocation: "heap-buffer-overflow"
 *                                0xf7 never handed out: "use-after-poison"
 *
 * The values are written here, for __asan_poison_memory_region knows but 0xf7; they are those of asan_internal.h of
 * LLVM, part of what the compilers emit (for stacks) and constant since 2012.  A report of it knows nothing of who
 * allocated: that is added by the callback, which the runtime has one of.  A program that sets its own after copse's
 * first allocation has that, and not copse's lines.
 */
#include "annotate_tools.h"

#ifdef COPSE_INSTRUMENTED
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

tool_function void __asan_get_shadow_mapping(size_t *scale, size_t *offset);
tool_function void __asan_poison_memory_region(const volatile void *address, size_t size);
tool_function void __asan_unpoison_memory_region(const volatile void *address, size_t size);
tool_function int __asan_address_is_poisoned(const volatile void *address);
tool_function void __asan_set_error_report_callback(void (*callback)(const char *text));
tool_function void *__asan_get_report_address(void);

enum { SCALE = 3, GRANULE = 8, NEVER = 0xf7, BESIDE = 0xfa, FREED = 0xfd };

/* The last bytes of a slot are never the caller's: they stay the left redzone of the next one when the slot is freed.
 */
enum { LEFT = 16 };

/* Above that, shadow is wiped by giving its pages back. */
#define WIPE_BY_PAGES ((u64)1 << 20)

/* Shadow has no shadow: none of this may be instrumented, nor become a call of memset. */
#define not_watched __attribute__((noinline, no_sanitize("address")))

typedef u64 __attribute__((may_alias)) shadow_word;

/* Constant after start. */
static uptr shadow_offset;

bool copse_asan_start(void) {
  if (!__asan_get_shadow_mapping) return false;
  size_t scale, offset;
  __asan_get_shadow_mapping(&scale, &offset);
  if (scale != SCALE) copse_annotate_refuse("copse: AddressSanitizer has a shadow of an unknown scale\n");
  shadow_offset = offset;
  static char probe[64] __attribute__((aligned(16)));
  __asan_poison_memory_region(probe, sizeof probe);
  bool heard = __asan_address_is_poisoned(probe);
  __asan_unpoison_memory_region(probe, sizeof probe);
  if (!heard)
    copse_annotate_refuse(
        "copse: ASAN_OPTIONS has allow_user_poisoning=0, with which no misuse of copse's memory is found\n");
  return true;
}

static not_watched void fill(uptr at, u64 n, u8 value) {
  for (; n && (at & 7); n--) *(u8 *)at++ = value;
  u64 word = value * 0x0101010101010101u;
  for (; n >= 32; n -= 32, at += 32) {
    shadow_word *w = (shadow_word *)at;
    w[0] = w[1] = w[2] = w[3] = word;
    __asm__ volatile("" ::: "memory"); /* no memset is made of it */
  }
  for (; n; n--) {
    *(u8 *)at++ = value;
    __asm__ volatile("" ::: "memory");
  }
}

static uptr shadow_of(const void *p) { return ((uptr)p >> SCALE) + shadow_offset; }

/* `p` and `bytes` are multiples of 8. */
static void paint(void *p, u64 bytes, u8 value) { fill(shadow_of(p), min_u64(bytes, PAINT_MOST) >> SCALE, value); }

void copse_asan_wipe(void *p, u64 bytes) {
  uptr at = shadow_of(p), end = at + (bytes >> SCALE);
  if (end - at > WIPE_BY_PAGES) {
    u64 page = (u64)sysconf(_SC_PAGESIZE);
    uptr first = round_up(at, page), last = round_down(end, page);
    if (madvise((void *)first, last - first, MADV_DONTNEED) == 0) {
      fill(at, first - at, 0);
      at = last;
    }
  }
  fill(at, end - at, 0);
}

static not_watched void store(uptr at, u8 value) { *(u8 *)at = value; }

/* What is not to be accessed before `p`, for whatever reason, is its redzone. */
static not_watched void paint_left(const void *p) {
  u8 *left = (u8 *)shadow_of(p) - LEFT / GRANULE;
  for (unsigned i = 0; i < LEFT / GRANULE; i++)
    if (left[i] >= 0x80) left[i] = BESIDE;
}

void copse_asan_paint_fresh(void *p, u64 bytes) { paint(p, bytes, NEVER); }

void copse_asan_paint_free(void *p, u64 size, u64 room) {
  u64 freed = max_u64(round_up(size, GRANULE), room > LEFT ? room - LEFT : 0);
  paint(p, freed, FREED);
  paint((char *)p + freed, room - freed, BESIDE);
}

void copse_asan_paint_alloc(void *p, u64 size, u64 room) {
  u64 whole = round_down(size, GRANULE), end = round_up(size, GRANULE);
  copse_asan_wipe(p, whole);
  if (end > whole) store(shadow_of((char *)p + whole), (u8)(size - whole));
  paint((char *)p + end, room - end, BESIDE);
  paint_left(p);
}

/* Not memcpy: that is ASan's, and looks at the shadow. */
not_watched void copse_asan_copy(void *to, const void *from, u64 bytes) {
  const shadow_word *source = from;
  shadow_word *target = to;
  u64 words = bytes / sizeof *target;
  for (u64 i = 0; i < words; i++) {
    target[i] = source[i];
    __asm__ volatile("" ::: "memory"); /* no memcpy is made of it */
  }
  for (u64 i = words * sizeof *target; i < bytes; i++) {
    ((char *)to)[i] = ((const char *)from)[i];
    __asm__ volatile("" ::: "memory");
  }
}

/* ---- in a report ---- */

static void (*describe_address)(const void *address);

/* Where the runtime gives no address, as for a fault, the first number of the line that says what happened is it. */
static void *address_in(const char *text) {
  const char *line = strstr(text, "AddressSanitizer: "), *number = line ? strstr(line, "0x") : NULL, *end;
  if (!number || ((end = strchr(line, '\n')) && number > end)) return NULL;
  uptr address = 0;
  for (number += 2;; number++) {
    char c = *number;
    if (c >= '0' && c <= '9')
      address = address << 4 | (uptr)(c - '0');
    else if (c >= 'a' && c <= 'f')
      address = address << 4 | (uptr)(c - 'a' + 10);
    else
      return (void *)address;
  }
}

static void on_report(const char *text) {
  void *address = __asan_get_report_address();
  describe_address(address ? address : address_in(text));
}

void copse_asan_on_report(void (*describe)(const void *address)) {
  describe_address = describe;
  __asan_set_error_report_callback(on_report);
}

#else
typedef int copse_annotate_asan_is_empty;
#endif
