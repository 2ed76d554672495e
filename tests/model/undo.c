/* SPDX-License-Identifier: MIT */
/* Takes back what an execution wrote: the bytes that were there, noted before each store, in reverse. */
#include "engine.h"
#include <stdlib.h>
#include <string.h>

struct note {
  uptr address;
  u64 bytes;
  u32 n;
};
static struct note *notes;
static size_t count, room;

static void note(uptr address, u32 n) {
  if (count == room) {
    room = room ? 2 * room : 1 << 16;
    notes = realloc(notes, room * sizeof *notes);
    if (!notes) abort();
  }
  struct note *last = &notes[count++];
  last->address = address;
  last->n = n;
  memcpy(&last->bytes, (const void *)address, n);
}

void undo_note(uptr address, size_t n) {
  if (!now.noting) return;
  for (; n > 8; n -= 8, address += 8) note(address, 8);
  if (n) note(address, (u32)n);
}

void undo_all(void) {
  while (count) {
    struct note *last = &notes[--count];
    memcpy((void *)last->address, &last->bytes, last->n);
  }
}
