/* SPDX-License-Identifier: MIT */
/*
 * misuse: free of what mmap gave
 *
 * plain asan tsan msan valgrind: report  copse: copse_free_unsized: a pointer that copse never handed out
 *              stack   here: misuse_here
 */
#include "death.h"
#include <sys/mman.h>

STEP void misuse_here(void *p) { copse_free_unsized(p); }

int main(void) {
  void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  misuse_here(MISUSED ? map : copse_alloc(64));
  return munmap(map, 4096);
}
