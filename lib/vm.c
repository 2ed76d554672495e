/* SPDX-License-Identifier: MIT */
/*
 * Reserve, commit, give back, move, and the limit.  No state but the facts, constant after start, and the counters.
 * No call is given up for ever because it failed once: every request asks the system anew.
 */
#include "vm_call.h"
#include "tunables.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void *system_mmap(void *address, size_t length, int protection, int flags) {
  return mmap(address, length, protection, flags, -1, 0);
}

static int system_munmap(void *address, size_t length) { return munmap(address, length); }

static int system_mprotect(void *address, size_t length, int protection) { return mprotect(address, length, protection); }

static int system_madvise(void *address, size_t length, int advice) { return madvise(address, length, advice); }

static void *system_mremap(void *from, size_t old_length, size_t new_length, int flags, void *to) {
  return mremap(from, old_length, new_length, flags, to);
}

const struct vm_calls copse_vm_system = {system_mmap, system_munmap, system_mprotect, system_madvise, system_mremap};
const struct vm_calls *copse_vm = &copse_vm_system;
struct vm_counters copse_vm_counters = {.mark = PEAK_STEP};
/* Until start: the least that any system has, so that early arithmetic is harmless. */
struct vm_facts copse_vm_facts = {.page = 4096};

/* Reads a small file of the kernel's; its bytes, a NUL behind them.  Neither stdio nor malloc. */
static bool read_fact(const char *path, char *text, size_t room) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t n;
  do n = read(file, text, room - 1);
  while (n < 0 && errno == EINTR);
  close(file);
  text[n > 0 ? n : 0] = 0;
  return n > 0;
}

void copse_vm_start(void) {
  long page = sysconf(_SC_PAGESIZE);
  copse_vm_facts = (struct vm_facts){.page = page > 0 ? (size_t)page : 4096};
  copse_vm_huge_start();
  static char text[128]; /* what MemorySanitizer knows of the stack may be another frame's */
  if (!read_fact("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) || strstr(text, "[never]")) return;
  copse_vm_facts.huge_always = strstr(text, "[always]") != NULL;
  if (!read_fact("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text, sizeof text)) return;
  size_t huge = 0;
  for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++) huge = huge * 10 + (size_t)(*digit - '0');
  if (is_power_of_two(huge) && huge > copse_vm_facts.page) copse_vm_facts.huge = huge;
}

/* ---- reserve ---- */

static void *map_none(void *address, size_t length, int more) {
  return vm_mmap(address, length, PROT_NONE, PRIVATE | MAP_NORESERVE | more);
}

/*
 * Where length + alignment is more than RLIMIT_AS allows, but length is not: learns where the kernel would put it, and asks
 * for the aligned addresses below, which are likely to be free.  By wishes, not MAP_FIXED_NOREPLACE: of an address where no program
 * may be, ThreadSanitizer makes none at all, and leaves the flag; the kernel then maps at 0 for who may, and ThreadSanitizer ends.
 */
static void *reserve_exactly(size_t length, size_t alignment) {
  char *p = map_none(NULL, length, 0);
  if (!p) return NULL;
  if (!((uptr)p & (alignment - 1))) return p;
  if (!vm_munmap(p, length)) return NULL;
  p -= (uptr)p & (alignment - 1);
  for (unsigned attempt = 0; attempt < 8 && (uptr)p >= alignment; attempt++, p -= alignment) {
    char *q = map_none(p, length, 0);
    if (q == p) return p;
    if (q) vm_munmap(q, length);
  }
  return NULL;
}

void *copse_vm_reserve(size_t length, size_t alignment) {
  size_t page = copse_vm_facts.page;
  length = round_up(length, page);
  if (alignment < page) alignment = page;
  size_t more = length + alignment;
  if (length == 0 || more < length) return NULL;
  char *p = map_none(NULL, more, 0);
  if (!p) return reserve_exactly(length, alignment);
  size_t before = round_up((uptr)p, alignment) - (uptr)p;
  size_t after = alignment - before;
  bool trimmed = !before || vm_munmap(p, before);
  if (trimmed && before) p += before;
  if (trimmed && (!after || vm_munmap(p + length, after))) return p;
  /* What is left of it: all of it, or all but the head. */
  vm_munmap(p, trimmed ? length + after : more);
  return NULL;
}

void copse_vm_unreserve(void *address, size_t length) {
  copse_annotate_gone(address, length);
  vm_munmap(address, round_up(length, copse_vm_facts.page));
}

/* ---- commit and give back ---- */

struct range {
  char *start;
  size_t length;
};

static struct range pages_around(void *address, size_t length) {
  uptr start = round_down((uptr)address, copse_vm_facts.page);
  return (struct range){(char *)address - ((uptr)address - start),
                        round_up((uptr)address + length, copse_vm_facts.page) - start};
}

static struct range units_inside(void *address, size_t length, size_t unit) {
  uptr start = round_up((uptr)address, unit), end = round_down((uptr)address + length, unit);
  return (struct range){(char *)address + (start - (uptr)address), end > start ? end - start : 0};
}

bool copse_vm_access(void *address, size_t length) {
  struct range r = pages_around(address, length);
  return length == 0 || vm_mprotect(r.start, r.length, ACCESS);
}

bool copse_vm_commit(void *address, size_t length) {
  if (!copse_vm_access(address, length)) return false;
  add_relaxed(&copse_vm_counters.committed, (u64)pages_around(address, length).length);
  return true;
}

size_t copse_vm_decommit_uncounted(void *address, size_t length) {
  struct range r = units_inside(address, length, copse_vm_facts.page);
  if (!r.length) return 0;
  /* Of locked memory the first says EINVAL; whether memory is locked may change, so it is asked each time. */
  if (!vm_madvise(r.start, r.length, MADV_DONTNEED) &&
      (errno != EINVAL || !vm_madvise(r.start, r.length, MADV_DONTNEED_LOCKED)))
    return 0;
  return r.length;
}

size_t copse_vm_decommit(void *address, size_t length) {
  size_t bytes = copse_vm_decommit_uncounted(address, length);
  add_relaxed(&copse_vm_counters.decommitted, (u64)bytes);
  return bytes;
}

bool copse_vm_uncommit_uncounted(void *address, size_t length) {
  struct range r = units_inside(address, length, copse_vm_facts.page);
  if (!r.length) return true;
  copse_annotate_gone(r.start, r.length);
  /* Not mprotect: that would keep what overcommit 2 counts. */
  if (!map_none(r.start, r.length, MAP_FIXED)) {
    copse_annotate_fresh(r.start, r.length); /* still there, and nobody's */
    return false;
  }
  sub_relaxed(&copse_vm_counters.committed, (u64)r.length);
  return true;
}

bool copse_vm_uncommit(void *address, size_t length) {
  if (!copse_vm_uncommit_uncounted(address, length)) return false;
  add_relaxed(&copse_vm_counters.decommitted, (u64)units_inside(address, length, copse_vm_facts.page).length);
  return true;
}

/* ---- move ---- */

#define UNIT ((size_t)2 << 20)

/*
 * In two steps, since the first is the one that limits make fail, and MREMAP_FIXED would by then have unmapped `to`: to a
 * place of the kernel's choice, then from there.  Where only the second fails, the contents are copied back.
 */
static bool move_piece(char *from, size_t length, char *to) {
  char *between = vm_mremap(from, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  if (!between) return false;
  if (vm_mremap(between, length, MREMAP_MAYMOVE | MREMAP_FIXED, to)) return true;
  vm_mend_hole(to, length);
  memcpy(from, between, length);
  vm_munmap(between, length);
  errno = ENOMEM;
  return false;
}

bool copse_vm_move(void *from, size_t length, void *to) {
  char *source = from, *target = to;
  copse_annotate_gone(from, length);
  /*
   * The kernel moves within one of its mappings (EFAULT; since 6.17 that does not hold for MREMAP_FIXED), and there may be
   * several, as where pages were moved before and more were added behind them.  The seam is found by halving, in units in which whole tables of
   * pages are moved; `beyond` is where it is known to lie below.
   */
  size_t unit = length > UNIT ? UNIT : copse_vm_facts.page, done = 0, beyond = 0, piece = length;
  while (done < length) {
    if (move_piece(source + done, piece, target + done)) {
      done += piece;
      piece = beyond > done + unit ? round_up((beyond - done) / 2, unit) : length - done;
    } else if (errno == EFAULT && piece > copse_vm_facts.page) {
      beyond = done + piece;
      if (piece <= unit) unit = copse_vm_facts.page; /* it lies within */
      piece = max_u64(round_down(piece / 2, unit), unit);
    } else {
      break;
    }
  }
  if (done == length) {
    add_relaxed(&copse_vm_counters.committed, (u64)length);
    return true;
  }
  if (done) {
    memcpy(source, target, done);
    map_none(target, done, MAP_FIXED); /* refused: it stays accessible, in nobody's use */
  }
  return false;
}

/* ---- the limit ---- */

bool copse_vm_charge(u64 bytes) {
  u64 limit = load_relaxed(&copse_tunables.limit);
  /* relaxed: a number, nothing is reached through it.  One compare-and-swap, so that never two pass where one fits. */
  u64 now = load_relaxed(&copse_vm_counters.in_use);
  do
    if (limit && (bytes > limit || now > limit - bytes)) return false;
  while (!cas_relaxed(&copse_vm_counters.in_use, &now, now + bytes));
  return true;
}

void copse_vm_uncharge(u64 bytes) { sub_relaxed(&copse_vm_counters.in_use, bytes); }
