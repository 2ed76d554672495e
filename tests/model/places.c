/* SPDX-License-Identifier: MIT */
/*
 * The places that an execution's atomics name, found by address: 8 bytes or fewer, 16 of which either half may be named
 * too, or a mutex.  Each has its stores in modification order, and who accessed which.  They are made when they are
 * first named.
 */
#include "engine.h"
#include <stdlib.h>
#include <string.h>

bool memory_restart;

enum { PLACES = 8192, BUCKETS = 16384, WIDE = 1024, COMMUTE = 16 };
static struct place places[PLACES];
static int place_count;
static struct {
  u32 stamp;
  int first;
} buckets[BUCKETS];
static uptr wide[WIDE];
static int wides;
static struct { uptr from, to; } commute[COMMUTE];
static int commutes;
static const uptr fence_base = 8; /* no place of anybody's */

void memory_start(void) {
  place_count = 0;
  commutes = 0;
}

void memory_commute(uptr address, size_t n) {
  if (commutes == COMMUTE) model_fail("too many commuting places");
  commute[commutes].from = address;
  commute[commutes++].to = address + n;
}

bool memory_commutes(uptr address) {
  for (int i = 0; i < commutes; i++)
    if (address >= commute[i].from && address < commute[i].to) return true;
  return false;
}

static unsigned bucket_of(uptr address) { return (unsigned)(address >> 4 ^ address >> 16) & (BUCKETS - 1); }

static bool is_wide(uptr base) {
  for (int i = 0; i < wides; i++)
    if (wide[i] == base) return true;
  return false;
}

static int chain_of(uptr address) {
  unsigned b = bucket_of(address);
  return buckets[b].stamp == now.number ? buckets[b].first : NO;
}

static struct place *find(uptr base) {
  for (int i = chain_of(base); i != NO; i = places[i].next)
    if (places[i].base == base) return &places[i];
  return NULL;
}

u128 memory_value(uptr base, unsigned size) {
  u128 value = 0;
  memcpy(&value, (const void *)base, size);
  return value;
}

struct store *memory_store_push(struct place *p) {
  if (p->count == p->room) {
    p->room = p->room ? 2 * p->room : 8;
    p->stores = realloc(p->stores, (size_t)p->room * sizeof *p->stores);
    if (!p->stores) abort();
  }
  struct store *s = &p->stores[p->count++];
  memset(s, 0, sizeof *s);
  return s;
}

void memory_access_push(struct place *p, struct access a) {
  if (p->access_count == p->access_room) {
    p->access_room = p->access_room ? 2 * p->access_room : 16;
    p->accesses = realloc(p->accesses, (size_t)p->access_room * sizeof *p->accesses);
    if (!p->accesses) abort();
  }
  p->accesses[p->access_count++] = a;
}

static struct place *place_make(uptr base, unsigned size, bool mutex) {
  if (place_count == PLACES) model_fail("too many places");
  struct place *p = &places[place_count];
  p->base = base;
  p->size = size;
  p->mutex = mutex;
  p->commutes = memory_commutes(base);
  p->holder = NO;
  p->count = p->access_count = 0;
  struct store *first = memory_store_push(p);
  first->thread = first->event = NO;
  if (!mutex) first->value = memory_value(base, size);
  unsigned b = bucket_of(base);
  p->next = chain_of(base);
  buckets[b].stamp = now.number;
  buckets[b].first = place_count++;
  return p;
}

void memory_settle(struct place *p) {
  struct store *last = &p->stores[p->count - 1];
  if (!last->pending) return;
  last->pending = false;
  last->value = memory_value(p->base, p->size);
}

struct place *memory_place(uptr address, unsigned size, unsigned *half) {
  uptr base = address & ~(uptr)15;
  *half = 3;
  if (address & (size - 1)) model_fail("an atomic access that is not aligned");
  if (size == 16) {
    if (!is_wide(base)) {
      if (wides == WIDE) model_fail("too many 16-byte places");
      wide[wides++] = base;
      /* It may have been read by halves before this was known. */
      if (find(base) || find(base + 8)) search_restart();
    }
  } else if (is_wide(base)) {
    if (size != 8) model_fail("less than half of a 16-byte word");
    *half = address & 8 ? 2 : 1;
    size = 16;
  } else {
    base = address;
  }
  struct place *p = find(base);
  if (!p) return place_make(base, size, false);
  if (p->size != size) model_fail("atomic accesses of different sizes");
  memory_settle(p);
  return p;
}

struct place *memory_mutex(uptr address) {
  struct place *p = find(address);
  return p ? p : place_make(address, 0, true);
}

struct place *memory_fence_place(void) {
  return memory_mutex(fence_base);
}

void memory_places(uptr address, size_t n, void (*each)(struct place *)) {
  if (n > 4096) {
    for (int i = 0; i < place_count; i++)
      if (!places[i].mutex && places[i].base < address + n && places[i].base + places[i].size > address)
        each(&places[i]);
    return;
  }
  for (uptr granule = address >> 4; granule <= (address + n - 1) >> 4; granule++) {
    for (int i = chain_of(granule << 4); i != NO; i = places[i].next)
      if (!places[i].mutex && places[i].base >> 4 == granule && places[i].base < address + n &&
          places[i].base + places[i].size > address)
        each(&places[i]);
  }
}
