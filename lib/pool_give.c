/* SPDX-License-Identifier: MIT */
/* The part of a trim that is outside the lock: what was detached goes back to the system, by runs of neighbouring slots. */
#include "pool_piece.h"
#include "vm.h"

/* Gives the pages of slots [from, to) back and notes in pieces[first..last] which slots are bare by that. */
static u64 give_back(const struct pool *p, u64 from, u64 to, struct piece *pieces, unsigned first, unsigned last) {
  u64 page = copse_vm_facts.page;
  uptr low = round_up((uptr)pool_address(p, from), page), high = round_down((uptr)pool_address(p, to), page);
  if (low >= high) return 0;
  u64 bytes = copse_vm_decommit((void *)low, high - low);
  if (!bytes) {
    for (unsigned i = first; i <= last; i++) pieces[i].refused = true;
    return 0;
  }
  uptr start = (uptr)p->start;
  u64 bare_from = low <= start ? 0 : (low - start + p->size - 1) / p->size, bare_to = (high - start) / p->size;
  for (unsigned i = first; i <= last; i++) {
    u64 base = pieces[i].block << 6;
    u64 a = max_u64(bare_from, base), b = min_u64(bare_to, base + 64);
    if (a < b) pieces[i].bare |= pieces[i].mask & (low_bits((unsigned)(b - a)) << (a - base));
  }
  return bytes;
}

u64 copse_pool_give_back(const struct pool *p, struct piece *pieces, unsigned n) {
  u64 bytes = 0, from = 0, to = 0;
  unsigned first = 0, last = 0;
  for (unsigned i = 0; i < n; i++) {
    u64 base = pieces[i].block << 6;
    for (u64 mask = pieces[i].mask; mask;) {
      unsigned low = lowest_bit(mask);
      u64 rest = ~(mask >> low);
      unsigned length = rest ? lowest_bit(rest) : 64;
      if (length > 64 - low) length = 64 - low;
      if (base + low != to) {
        if (to > from) bytes += give_back(p, from, to, pieces, first, last);
        from = base + low;
        first = i;
      }
      to = base + low + length;
      last = i;
      mask &= ~(low_bits(length) << low);
    }
  }
  if (to > from) bytes += give_back(p, from, to, pieces, first, last);
  return bytes;
}
