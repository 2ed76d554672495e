/* SPDX-License-Identifier: MIT */
#include "guard_bytes.h"
#include "check.h"
#include "guard.h"

#if INSTRUMENTED

typedef u64 word __attribute__((may_alias));

/* Neither of them is a valid address, a small number, or text. */
#define CANARY 0xCACACACACACACACAu
#define FREED  0xDEDEDEDEDEDEDEDEu
/* The least page of any system: what may read as zero is looked at in these pieces. */
#define PIECE ((uptr)4096)

/* So that the compiler makes no call of memset or memcmp of a loop. */
#define no_idiom(p) __asm__ volatile("" : "+r"(p))

unseen_by_tools static void set(char *from, char *to, word with) {
  while (from < to && (uptr)from & 7) {
    *from++ = (char)with;
    no_idiom(from);
  }
  for (; to - from >= 64; from += 64) {
    word *at = (word *)(void *)from;
    at[0] = at[1] = at[2] = at[3] = at[4] = at[5] = at[6] = at[7] = with;
    no_idiom(from);
  }
  for (; to - from >= 8; from += 8) {
    *(word *)(void *)from = with;
    no_idiom(from);
  }
  while (from < to) {
    *from++ = (char)with;
    no_idiom(from);
  }
}

/* The first byte in [from, to) that is not `with`. */
unseen_by_tools static const char *differs(const char *from, const char *to, word with) {
  while (from < to && (uptr)from & 7) {
    if (*from != (char)with) return from;
    from++;
  }
  for (; to - from >= 64; from += 64) {
    const word *at = (const word *)(const void *)from;
    if ((at[0] ^ with) | (at[1] ^ with) | (at[2] ^ with) | (at[3] ^ with) | (at[4] ^ with) | (at[5] ^ with) |
        (at[6] ^ with) | (at[7] ^ with))
      break;
  }
  for (; to - from >= 8; from += 8)
    if (*(const word *)(const void *)from != with) break;
  for (; from < to; from++)
    if (*from != (char)with) return from;
  return NULL;
}

static u64 near_end(u64 size, u64 room) { return min_u64(size + CANARY_MOST, room); }

void copse_guard_canary_set(char *start, u64 size, u64 room) {
  u64 end = near_end(size, room);
  set(start + size, start + end, (word)CANARY);
  if (end < room) set(start + room - min_u64(REDZONE, room - end), start + room, (word)CANARY);
}

const char *copse_guard_canary_broken(const char *start, u64 size, u64 room) {
  u64 end = near_end(size, room);
  const char *found = differs(start + size, start + end, (word)CANARY);
  if (found || end == room) return found;
  return differs(start + room - min_u64(REDZONE, room - end), start + room, (word)CANARY);
}

void copse_guard_fill(char *start, u64 room) { set(start, start + min_u64(room, FILL_MOST), (word)FREED); }

const char *copse_guard_fill_broken(const char *start, u64 room, bool given_back) {
  const char *end = start + min_u64(room, FILL_MOST);
  if (!given_back) return differs(start, end, (word)FREED);
  for (const char *from = start; from < end;) {
    const char *to = from + min_u64((u64)(end - from), PIECE - ((uptr)from & (PIECE - 1)));
    const char *found = differs(from, to, (word)FREED);
    if (found && differs(from, to, 0)) return found;
    from = to;
  }
  return NULL;
}

#else
typedef int copse_guard_bytes_is_empty;
#endif
