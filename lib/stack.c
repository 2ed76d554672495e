/* SPDX-License-Identifier: MIT */
/*
 * The depot: each stack once.  A hash table of chains; an entry is written, then published at the head of its chain,
 * and never changes or goes.  A number is its place in the arena, in words, so that 0 is none.
 */
#include "stack.h"
#include "annotate.h"
#include "atomic.h"
#include "cancel.h"
#include "check.h"
#include "region.h"
#include "tunables.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#if INSTRUMENTED

struct entry {
  u32 next; /* the number of the one behind it; 0: none */
  u32 hash;
  u64 count;
  uptr frames[];
};

enum { TABLE_BITS = 16 };
#define ARENA_MOST ((u64)64 << 20)

static struct {
  u32 *table;
  struct reach arena;
  u64 bytes; /* of the arena; 0: no depot */
  u64 next;  /* atomic: its first byte that nobody has */
} depot;

/* Below the program there is no code: not where numbers are that a frame without frame pointer left.  Constant after start. */
static uptr lowest_code = 65536;

void copse_stack_start(void) {
  lowest_code = max_u64(getauxval(AT_PHDR), lowest_code);
  u64 bytes = round_down(min_u64(ARENA_MOST, region_size() / 8), REACH_STEP);
  depot.bytes = 0;
  u32 *table = copse_region_own_committed(sizeof(u32) << TABLE_BITS, APART);
  u64 *steps = copse_region_own_committed(reach_bits_bytes(bytes), APART);
  char *arena = copse_region_own(bytes, REACH_STEP);
  if (!table || !steps || !arena) return;
  depot.table = table;
  depot.arena = (struct reach){arena, steps};
  depot.next = sizeof(u64);
  depot.bytes = bytes;
}

static struct entry *entry_of(u32 stack) {
  return (struct entry *)(void *)(depot.arena.base + (u64)stack * sizeof(u64));
}

/* ---- the walk ---- */

/* Stacks that the calling thread was seen on last: two, for those that switch between fibers. */
struct bounds {
  uptr low, high;
  bool own; /* the thread's: all of it from a frame to `high` is there for as long as the frame is */
};
static __thread struct bounds known[2] __attribute__((tls_model("initial-exec")));

static bool hexadecimal(const char **text, uptr *value) {
  const char *at = *text;
  for (*value = 0;; at++) {
    unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                     : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a' + 10)
                                                : 16;
    if (digit == 16) break;
    *value = *value << 4 | digit;
  }
  bool any = at != *text;
  *text = at;
  return any;
}

/*
 * Of the accessible mapping that `address` is in, the part that is a stack: the kernel may have made one mapping of a stack and of
 * what lies beside it.  The first thread's is by itself; the others have what pthread_self names right above theirs, and as a rule a
 * page without access right below: stacks of fibers come to lie below a stack that has none, and below what the loader mapped for the
 * first thread.
 */
static cold_path struct bounds look_up(uptr address) {
  struct bounds found = {0, 0, false};
  uptr barred = 0; /* where the last mapping ends, if it is without access */
  bool guarded = false;
  char text[4096 + 1];
  size_t kept = 0;
  /* What is known of the stack may be another frame's. */
  copse_annotate_written(text, sizeof text);
  int cancel = cancel_off(), file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  for (bool done = file < 0; !done;) {
    ssize_t n = read(file, text + kept, sizeof text - 1 - kept);
    if (n <= 0) break;
    text[kept + (size_t)n] = 0;
    const char *line = text;
    for (char *end; !done && (end = strchr(line, '\n')); line = end + 1) {
      struct bounds one = {0, 0, false};
      const char *at = line;
      if (!hexadecimal(&at, &one.low) || *at++ != '-' || !hexadecimal(&at, &one.high) || *at++ != ' ') continue;
      if (address < one.low || address >= one.high) {
        barred = at[0] == '-' ? one.high : 0;
        continue;
      }
      guarded = one.low == barred;
      one.own = end - at > 7 && memcmp(end - 7, "[stack]", 7) == 0;
      if (at[0] == 'r' && at[1] == 'w') found = one;
      done = true;
    }
    kept = strlen(line);
    if (kept == sizeof text - 1) kept = 0; /* a line that is longer: its end is none of ours */
    memmove(text, line, kept);
  }
  if (file >= 0) close(file);
  cancel_back(cancel);
  uptr self = (uptr)pthread_self();
  if (address < self && self < found.high) found.high = self, found.own = guarded && gettid() != getpid();
  return found;
}

static struct bounds stack_of(uptr frame) {
  if (likely(frame >= known[0].low && frame < known[0].high)) return known[0];
  struct bounds other = known[1];
  if (frame < other.low || frame >= other.high) other = look_up(frame);
  known[1] = known[0];
  known[0] = other;
  return other;
}

/*
 * Whether the word there can be read: the kernel reads a set of signals before it looks at what is to be done with it, and says
 * EFAULT where it cannot.  Source: sigprocmask(2).
 */
static bool readable(uptr address) {
  enum { NOTHING_TO_DO = SIG_BLOCK + SIG_UNBLOCK + SIG_SETMASK + 1 };
  /* It would report what it reads for the kernel. */
  if (copse_tools & TOOL_VALGRIND) return copse_annotate_readable((const void *)address);
  int saved = errno;
  bool found = syscall(SYS_rt_sigprocmask, NOTHING_TO_DO, address, NULL, sizeof(u64)) == 0 || errno != EFAULT;
  errno = saved;
  return found;
}

/* A frame record is to be read, whose page may not be there: a fiber's stack ends nobody knows where.  `page` is the last one that was
 * found to be. */
static bool record_is_there(uptr record, uptr *page) {
  for (uptr word = record; word <= record + sizeof word; word += sizeof word) {
    if (word / 4096 == *page) continue;
    if (!readable(word)) return false;
    *page = word / 4096;
  }
  return true;
}

/* Whether code may be there: a register that is not used as a frame pointer may hold anything. */
static bool plausible(uptr pc, uptr frame, uptr end) {
  return pc >= lowest_code && pc >> 48 == 0 && !(pc >= frame && pc < end) &&
         region_of((const void *)pc) >= copse_regions.count;
}

unseen_by_tools static unsigned walk(void *caller, void *frame, uptr frames[STACK_FRAMES]) {
  unsigned n = 0;
  frames[n++] = (uptr)caller;
  struct bounds stack = stack_of((uptr)frame);
  bool ask = !stack.own;
  uptr at = (uptr)frame, end = stack.high, page = at / 4096;
  /* The first record's return address is `caller`. */
  while (n < STACK_FRAMES) {
    if (at & 7 || end < 2 * sizeof(uptr) || at > end - 2 * sizeof(uptr)) break;
    uptr up = *(const uptr *)at;
    copse_annotate_known(&up, sizeof up); /* a frame pointer that is used for something else may be nothing yet */
    if (up <= at || up & 7 || up > end - 2 * sizeof(uptr) || (ask && !record_is_there(up, &page))) break;
    uptr pc = ((const uptr *)up)[1];
    copse_annotate_known(&pc, sizeof pc);
    if (!plausible(pc, (uptr)frame, end)) break;
    frames[n++] = pc;
    at = up;
  }
  return n;
}

/* ---- the depot ---- */

static u32 hash_of(const uptr *frames, unsigned n) {
  u64 hash = n;
  for (unsigned i = 0; i < n; i++) {
    hash = (hash ^ frames[i]) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return (u32)(hash >> 32 ^ hash);
}

static u32 find(u32 stack, u32 hash, const uptr *frames, unsigned n) {
  for (; stack; stack = entry_of(stack)->next) {
    const struct entry *e = entry_of(stack);
    if (e->hash != hash || e->count != n) continue;
    unsigned same = 0;
    while (same < n && e->frames[same] == frames[same]) same++;
    if (same == n) return stack;
  }
  return 0;
}

static u32 add(u32 hash, const uptr *frames, unsigned n) {
  u64 bytes = sizeof(struct entry) + n * sizeof(uptr);
  /* relaxed: claims are disjoint, and what is written there is published by its chain. */
  u64 at = load_relaxed(&depot.next);
  do {
    /* Accessible first, so that a refusal costs no room. */
    if (at + bytes > depot.bytes || !copse_region_reach(&depot.arena, at, at + bytes)) return 0;
  } while (!cas_relaxed(&depot.next, &at, at + bytes));
  u32 stack = (u32)(at / sizeof(u64));
  struct entry *e = entry_of(stack);
  e->hash = hash;
  e->count = n;
  for (unsigned i = 0; i < n; i++) e->frames[i] = frames[i];
  u32 *head = &depot.table[hash >> (32 - TABLE_BITS)], first = load_relaxed(head);
  /* Two threads may add the same: then it stands there twice, and either number serves. */
  do e->next = first;
  /* release: pairs with the acquire in copse_stack_capture: the entry is whole. */
  while (!cas_release(head, &first, stack));
  return stack;
}

u32 copse_stack_capture(void *caller, void *frame) {
  /* relaxed: a parameter stands on its own. */
  if (!depot.bytes || !load_relaxed(&copse_tunables.stacks)) return 0;
  uptr frames[STACK_FRAMES];
  unsigned n = walk(caller, frame, frames);
  u32 hash = hash_of(frames, n);
  /* acquire: pairs with the release in add; those behind it in the chain were published before it. */
  u32 stack = find(load_acquire(&depot.table[hash >> (32 - TABLE_BITS)]), hash, frames, n);
  return stack ? stack : add(hash, frames, n);
}

unsigned copse_stack_frames(u32 stack, uptr frames[STACK_FRAMES]) {
  if (!stack || !depot.bytes) return 0;
  const struct entry *e = entry_of(stack);
  for (u64 i = 0; i < e->count; i++) frames[i] = e->frames[i];
  return (unsigned)e->count;
}

void copse_stack_print_here(int fd, void *caller, void *frame) {
  uptr frames[STACK_FRAMES];
  copse_stack_print_frames(fd, frames, walk(caller, frame, frames));
}

#else
typedef int copse_stack_is_empty;
#endif
