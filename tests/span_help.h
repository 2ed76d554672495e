/* SPDX-License-Identifier: MIT */
/* What the tests of spans share. */
#ifndef COPSE_TESTS_SPAN_HELP_H
#define COPSE_TESTS_SPAN_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "atomic.h"
#include "child.h"
#include "region.h"
#include "span.h"
#include "tunables.h"
#include "vm_faults.h"
#include <string.h>

#define KB ((u64)1 << 10)
#define MB ((u64)1 << 20)
#define GB ((u64)1 << 30)

/* Starts vm, regions and spans, once in a process, with injected system calls. */
static inline bool span_begin(u64 reserve) {
  copse_vm_start();
  /* Where there is no /sys to ask: what these tests expect of huge pages is asked for all the same. */
  if (!copse_vm_facts.huge) copse_vm_facts.huge = 2 * MB;
  vm_faults_install();
  copse_tunables.reserve = reserve;
  return copse_region_start() && copse_span_start();
}

/* A word each 512 bytes, and the last byte. */
static inline void fill(void *p, u64 length, u64 seed) {
  for (u64 i = 0; i + 8 <= length; i += 512) *(u64 *)(void *)((char *)p + i) = (i + seed) * 0x9e3779b97f4a7c15;
  ((u8 *)p)[length - 1] = (u8)seed;
}
static inline bool filled_but_end(const void *p, u64 length, u64 seed) {
  for (u64 i = 0; i + 8 <= length; i += 512)
    if (*(const u64 *)(const void *)((const char *)p + i) != (i + seed) * 0x9e3779b97f4a7c15) return false;
  return true;
}
static inline bool filled(const void *p, u64 length, u64 seed) {
  u64 whole = length - (length % 512 && length % 512 <= 8 ? length % 512 : 0);
  return filled_but_end(p, whole ? whole - 1 : 0, seed) && ((const u8 *)p)[length - 1] == (u8)seed;
}
static inline bool zeros(const void *p, u64 length) { return !*(const char *)p && !memcmp(p, (const char *)p + 1, length - 1); }

/* Nothing is live: all is given back, charges too. */
static inline bool span_idle(void) {
  copse_span_trim();
  return copse_span_valid() && copse_span_counters.spans == 0 && copse_span_counters.bytes == 0 &&
         copse_span_counters.cached == 0 && copse_vm_counters.in_use == 0;
}

#endif
