/* SPDX-License-Identifier: MIT */
/*
 * Huge pages: explicit ones of 1 GB, then of 2 MB, where the system has some reserved and free; else transparent ones.
 * Whether there are any changes while the program runs, so no refusal is for ever: after many in a row only some requests ask.
 */
#include "vm_call.h"
#include "tunables.h"

enum { SHIFT_1G = 30, SHIFT_2M = 21 };

/* Whether huge pages were moved once: before 5.16 the kernel refuses it, after it has unmapped the target. */
static bool moves;

/*
 * The first time: to an address range that nobody would miss.  Where that fails with a hole in it, no other thread's
 * mapping can get between copse's.  Where it fails without, the address range is lost, and still no memory.
 */
static char *rehearse(char *p, size_t length, size_t page) {
  if (load_relaxed(&moves)) return p; /* relaxed: true once is true for all, and nothing else depends on it */
  char *elsewhere = copse_vm_reserve(length, page);
  if (elsewhere && vm_mremap(p, length, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere)) {
    store_relaxed(&moves, true);
    return elsewhere;
  }
  vm_munmap(p, length);
  return NULL;
}

/*
 * `length` bytes of huge pages of 2^shift bytes over `address`.  Mapped elsewhere first, for a failed MAP_FIXED leaves a
 * hole.  Without MAP_NORESERVE: the pages are set aside now, or this fails.  What that does not ask is whether this process may have
 * them, by its cgroup's limit and its nodes: that the first touch does, which would be a SIGBUS.  So it is made here, where it may fail;
 * no kernel that moves huge pages (5.16) is without MADV_POPULATE_WRITE (5.14).  Nor would the kernel move pages of 1 GB, at every
 * other address, where it has no page table for them yet (Linux 6.18).
 */
static bool map_over(char *address, size_t length, unsigned shift) {
  char *p = vm_mmap(NULL, length, ACCESS, PRIVATE | MAP_HUGETLB | (int)(shift << MAP_HUGE_SHIFT));
  if (!p) return false;
  if (!vm_madvise(p, length, MADV_POPULATE_WRITE)) {
    vm_munmap(p, length);
    return false;
  }
  p = rehearse(p, length, (size_t)1 << shift);
  if (!p) return false;
  if (vm_mremap(p, length, MREMAP_MAYMOVE | MREMAP_FIXED, address)) return true;
  vm_munmap(p, length);
  vm_mend_hole(address, length);
  return false;
}

/*
 * As much of the front of [address, address + length) as there are pages for: all of it, or else found by halving, after a
 * single page has shown that there are any.
 */
static size_t map_front(char *address, size_t length, unsigned shift) {
  size_t page = (size_t)1 << shift, done = 0;
  length = round_down(length, page);
  if (!length) return 0;
  if (map_over(address, length, shift)) return length;
  if (length == page || !map_over(address, page, shift)) return 0;
  done = page;
  for (size_t step = round_down((length - done) / 2, page); step; step = round_down(step / 2, page))
    if (map_over(address + done, step, shift)) done += step;
  return done;
}

/*
 * To ask in vain costs as much as all the rest of a large request.  So after REFUSALS_ASKED refusals in a row every second request
 * asks, then every fourth, to every 64th; and from the first success on each one again.
 * Numbers, relaxed: threads that race ask once more or once less.
 */
enum { REFUSALS_ASKED = 16, ASK_EVERY_LOG = 6 };
struct asking {
  u64 refused, request;
};
static struct asking asking_1g, asking_2m;

void copse_vm_huge_start(void) { asking_1g = asking_2m = (struct asking){0, 0}; }

static bool asks(struct asking *a) {
  u64 refused = load_relaxed(&a->refused);
  if (refused < REFUSALS_ASKED) return true;
  u64 every = (u64)1 << min_u64(refused - REFUSALS_ASKED + 1, ASK_EVERY_LOG);
  return (add_relaxed(&a->request, (u64)1) & (every - 1)) == 0;
}

static size_t ask(struct asking *a, char *address, size_t length, unsigned shift) {
  if (!asks(a)) return 0;
  size_t got = map_front(address, length, shift);
  if (got) store_relaxed(&a->refused, (u64)0);
  else add_relaxed(&a->refused, (u64)1);
  return got;
}

size_t copse_vm_commit_huge(void *address, size_t length) {
  if (load_relaxed(&copse_tunables.huge) != 2) return 0;
  size_t large = 0;
  if (!((uptr)address & (((size_t)1 << SHIFT_1G) - 1)) && length >= (size_t)1 << SHIFT_1G) {
    large = ask(&asking_1g, address, length, SHIFT_1G);
    add_relaxed(&copse_vm_counters.huge_1g, (u64)large);
    if (large < round_down(length, (u64)1 << SHIFT_1G)) add_relaxed(&copse_vm_counters.huge_1g_fallbacks, (u64)1);
  }
  size_t rest = round_down(length - large, (u64)1 << SHIFT_2M), small = 0;
  if (rest && !((uptr)address & (((size_t)1 << SHIFT_2M) - 1))) {
    small = ask(&asking_2m, (char *)address + large, rest, SHIFT_2M);
    add_relaxed(&copse_vm_counters.huge_2m, (u64)small);
    if (small < rest) add_relaxed(&copse_vm_counters.huge_2m_fallbacks, (u64)1);
  }
  add_relaxed(&copse_vm_counters.committed, (u64)(large + small));
  return large + small;
}

/* madvise on the whole transparent huge pages inside. */
static size_t advise(char *address, size_t length, int advice) {
  size_t huge = copse_vm_facts.huge;
  if (!huge) return 0;
  uptr start = round_up((uptr)address, huge), end = round_down((uptr)address + length, huge);
  if (end <= start || !vm_madvise(address + (start - (uptr)address), end - start, advice)) return 0;
  return end - start;
}

void copse_vm_advise_huge(void *address, size_t length) {
  if (load_relaxed(&copse_tunables.huge) == 0) return;
  add_relaxed(&copse_vm_counters.huge_advised, (u64)advise(address, length, MADV_HUGEPAGE));
}

void copse_vm_advise_small(void *address, size_t length) {
  if (copse_vm_facts.huge_always) advise(address, length, MADV_NOHUGEPAGE);
}
