/* SPDX-License-Identifier: MIT */
/*
 * Plain memory: races, use after it was unmapped, and use before it has access.
 *
 * A word of eight bytes has cells: who accessed which of its bytes, when, and how.  Two accesses race that share a
 * byte, are not both atomic nor both reads, and of which neither happens before the other.  An access that does not
 * race makes those cells superfluous that it happens after and that it covers.
 */
#include "engine.h"
#include <stdlib.h>
#include <string.h>

enum { CELLS = 24, PAGE = 4096, TABLE = 1 << 14 };

struct cell {
  u32 at;
  u8 thread, mask;
  bool write, atomic;
  u32 pc;
};
struct word {
  u32 stamp;
  u8 count;
  bool unmapped;
  u32 unmapped_pc;
  struct cell cells[CELLS];
};
struct page {
  uptr number;
  struct page *next;
  bool closed;              /* no access; noted for undoing */
  u32 opened, opened_at[T]; /* in which execution, and when */
  u32 zeroed, zeroed_at;    /* given back: in which execution, and when */
  int zeroed_by;
  struct word *words; /* made when the first is wanted */
};
static struct page *table[TABLE];
static struct page *latest;
static uptr reserved, reserved_end;

void shadow_reserve(uptr address, size_t n) {
  reserved = address;
  reserved_end = address + n;
}

static struct page *page_of(uptr address) {
  uptr number = address / PAGE;
  if (latest && latest->number == number) return latest;
  struct page **list = &table[(number ^ number >> 14) & (TABLE - 1)];
  for (struct page *p = *list; p; p = p->next)
    if (p->number == number) return latest = p;
  struct page *p = calloc(1, sizeof *p);
  if (!p) abort();
  p->number = number;
  p->closed = address >= reserved && address < reserved_end;
  p->next = *list;
  return latest = *list = p;
}

static struct word *words_of(struct page *p) {
  if (!p->words && !(p->words = calloc(PAGE / 8, sizeof *p->words))) abort();
  return p->words;
}

void shadow_touch(uptr address) {
  if (address >= reserved && address < reserved_end) words_of(page_of(address));
}

static const char *name_of(bool write, bool atomic) {
  return atomic ? (write ? "atomic store" : "atomic load") : (write ? "store" : "load");
}

static void race(const struct cell *c, int thread, bool write, bool atomic, uptr address, uptr pc) {
  char first[256], second[256];
  strncpy(first, report_line(c->pc), sizeof first - 1);
  strncpy(second, report_line(pc), sizeof second - 1);
  first[sizeof first - 1] = second[sizeof second - 1] = 0;
  model_fail("race at %p: %s of thread %c at %s, %s of thread %c at %s", (void *)address, name_of(c->write, c->atomic),
             'a' + c->thread, first, name_of(write, atomic), 'a' + thread, second);
}

static void word_access(struct page *p, int thread, uptr address, u8 mask, bool write, bool atomic, uptr pc) {
  struct word *w = &words_of(p)[address % PAGE / 8];
  const struct thread *t = &now.thread[thread];
  if (w->stamp != now.number) {
    w->stamp = now.number;
    w->count = 0;
    w->unmapped = false;
  }
  if (w->unmapped) model_fail("use of %p after it was unmapped at %s", (void *)address, report_line(w->unmapped_pc));
  /* An event that was performed counts as itself, a plain access as the event that comes next. */
  u32 at = atomic ? t->now - 1 : t->now;
  int kept = 0;
  bool stands = false;
  for (int i = 0; i < w->count; i++) {
    struct cell *c = &w->cells[i];
    bool mine = c->thread == thread, before = mine || c->at <= t->hb.at[c->thread];
    if (!before && c->mask & mask && (c->write || write) && !(c->atomic && atomic))
      race(c, thread, write, atomic, address, pc);
    if (mine && c->at == at && !(mask & ~c->mask) && (c->write || !write) && (!c->atomic || atomic)) stands = true;
    if (before && !(c->mask & ~mask) && (write || !c->write) && (c->atomic || !atomic) && !stands) continue;
    w->cells[kept++] = *c;
  }
  w->count = (u8)kept;
  if (stands) return;
  for (int i = 0; i < kept; i++) {
    struct cell *c = &w->cells[i];
    if (c->thread != thread || c->at != at || c->write != write || c->atomic != atomic) continue;
    c->mask |= mask;
    return;
  }
  if (kept == CELLS) model_fail("too many accesses to keep at %p", (void *)address);
  w->cells[w->count++] = (struct cell){at, (u8)thread, mask, write, atomic, (u32)pc};
}

/* Whether some call that gave the page access comes before what the thread does now. */
static bool given(const struct page *p, int thread) {
  for (int t = 0; t < T; t++)
    if (p->opened_at[t] && (t == thread || p->opened_at[t] <= now.thread[thread].hb.at[t])) return true;
  return false;
}

void shadow_access(int thread, uptr address, size_t n, bool write, bool atomic, uptr pc) {
  while (n) {
    struct page *p = page_of(address);
    if (p->closed) model_fail("access to %p, which has none, at %s", (void *)address, report_line(pc));
    if (p->opened == now.number && !given(p, thread))
      model_fail("access to %p at %s may come before it was given", (void *)address, report_line(pc));
    if (p->zeroed == now.number && p->zeroed_by != thread && p->zeroed_at > now.thread[thread].hb.at[p->zeroed_by])
      model_fail("race at %p: its page was given back by thread %c, accessed by thread %c at %s", (void *)address,
                 'a' + p->zeroed_by, 'a' + thread, report_line(pc));
    unsigned from = address & 7, some = n < 8 - from ? (unsigned)n : 8 - from;
    word_access(p, thread, address & ~(uptr)7, (u8)(((1u << some) - 1) << from), write, atomic, pc);
    address += some;
    n -= some;
  }
}

void shadow_unmap(int thread, uptr address, size_t n, uptr pc) {
  shadow_access(thread, address, n, true, false, pc);
  for (uptr a = address; a < address + n; a += 8) {
    struct word *w = &words_of(page_of(a))[a % PAGE / 8];
    w->unmapped = true;
    w->unmapped_pc = (u32)pc;
  }
}

void shadow_zero(int thread, uptr address, size_t n, uptr pc) {
  for (uptr a = address; a < address + n; a += PAGE) {
    struct page *p = page_of(a);
    if (p->words && thread != NO) {
      shadow_access(thread, a, PAGE, true, false, pc);
      memory_plain_write(a, PAGE);
    }
    if (thread != NO) {
      p->zeroed = now.number;
      p->zeroed_by = thread;
      p->zeroed_at = now.thread[thread].now;
    }
    if (!p->words) continue; /* nobody was ever there */
    undo_note(a, PAGE);
    memset((void *)a, 0, PAGE);
  }
}

void shadow_close(uptr address, size_t n) {
  for (uptr a = address; a < address + n; a += PAGE) {
    struct page *p = page_of(a);
    undo_note((uptr)&p->closed, sizeof p->closed);
    p->closed = true;
  }
}

void shadow_open(int thread, uptr address, size_t n) {
  for (uptr a = address; a < address + n; a += PAGE) {
    struct page *p = page_of(a);
    if (p->closed) {
      undo_note((uptr)&p->closed, sizeof p->closed);
      p->closed = false;
      p->opened = thread == NO ? 0 : now.number;
      memset(p->opened_at, 0, sizeof p->opened_at);
    }
    if (p->opened == now.number && thread != NO && !p->opened_at[thread]) p->opened_at[thread] = now.thread[thread].now;
  }
}
