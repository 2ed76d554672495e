/* SPDX-License-Identifier: MIT */
/*
 * misuse: read after free, and what was read is followed
 *
 * plain:       signal  SEGV
 * tsan:        report  ThreadSanitizer: SEGV
 *              stack   Hint|signal is caused by: misuse_here
 * msan:        report  MemorySanitizer: use-of-uninitialized-value
 *              stack   use-of-uninitialized-value: misuse_here
 *              stack   marked as uninitialized: free_here
 * asan:        report  AddressSanitizer: heap-use-after-free
 *              address bytes inside a block of 64 bytes
 *              stack   READ of size 8: misuse_here
 *              stack   allocated by: allocate_here
 *              stack   freed by: free_here
 * valgrind:    report  Invalid read of size 8
 *              address bytes inside a block of size 64 free'd
 *              stack   Invalid read: misuse_here
 *              stack   free'd: free_here
 *              stack   alloc'd: allocate_here
 *
 * In plain a load leaves no trace, but what it reads is the pattern, which is no address.
 */
#include "death.h"

struct node {
  struct node *next;
  int value;
  char rest[48];
};

STEP struct node *allocate_here(void) { return copse_alloc(64); }
STEP void free_here(struct node *p) { copse_free(p, 64); }
STEP int misuse_here(const struct node *p) { return p->next->value; }

int main(void) {
  struct node *p = allocate_here(), other = {.value = 7};
  p->next = &other;
  death_seen = misuse_here(p);
  free_here(p);
  if (MISUSED) death_seen = misuse_here(p);
  return 0;
}
