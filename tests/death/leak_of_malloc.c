/* SPDX-License-Identifier: MIT */
/*
 * misuse: a block of malloc's that copse's memory pointed to, and nothing does any more
 *
 * plain tsan msan: none    the block is not copse's
 * asan:        report  LeakSanitizer: detected memory leaks
 *              address Direct leak of 64 byte
 *              stack   Direct leak: allocate_here
 * valgrind:    report  64 bytes in 1 blocks are definitely lost
 *              stack   definitely lost: allocate_here
 *
 * The clean variant leaves the pointer in copse's memory: no leak, though nothing else holds it.
 */
#include "death.h"

static void **holder;

STEP void allocate_here(void) { holder[3] = malloc(64); }
/* So that no register and no dead part of the stack keeps the pointer. */
STEP int forget_here(int n) {
  char room[1000];
  memset(room, n, sizeof room);
  return n ? forget_here(n - 1) + room[n] : 0;
}

int main(void) {
  holder = copse_alloc_zeroed(64);
  allocate_here();
  if (MISUSED) holder[3] = NULL;
  death_seen = forget_here(20);
  return 0;
}
