/* SPDX-License-Identifier: MIT */
/* All memory is locked (mlockall): pages come with access, and a trim has to ask otherwise for them to go.  Four threads and a trimmer. */
#include "shelf.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { WORKERS = 4, STEPS = 3000 };
static struct shelf shelf = SHELF_INITIALIZER;
static unsigned left;

static void work(struct hand *hand) {
  if (hand->number > WORKERS) {
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) copse_trim();
    return;
  }
  for (unsigned i = 0; i < STEPS; i++) {
    struct object o = {0};
    if (random_below(&hand->random, 9) < 5) object_make(hand, random_size(&hand->random, i % 500 ? 50000 : 2000000), &o);
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
  }
  __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static size_t locked_kb(void) {
  char line[128];
  unsigned long kb = 0;
  FILE *file = fopen("/proc/self/status", "r");
  require(file);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "VmRSS: %lu", &kb) == 1) break;
  fclose(file);
  return kb;
}

static void one_round(struct hand *hand) {
  enum { BULK = 1200 };
  static struct object bulk[BULK];
  if (UNDER_SANITIZER) stress_skip_all("a sanitizer takes mlockall for nothing");
  /* As the manual page says: the address space that is reserved would count as locked. */
  require(copse_tune_set("reserve", (uint64_t)1 << 30) == 0 && copse_tune_set("growth_max", 1 << 20) == 0);
  require(copse_tune_set("arenas", 1) == 0);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) stress_skip_all(strerror(errno));
  /* Where RLIMIT_MEMLOCK allows too little, and this process may not go beyond it. */
  void *much = mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (much == MAP_FAILED) stress_skip_all("RLIMIT_MEMLOCK is below 1 GB");
  munmap(much, (size_t)1 << 30);
  left = WORKERS;
  crew(WORKERS + 1, work, NULL);
  shelf_clear(&shelf, hand);
  copse_trim();
  /* What goes is seen in the process's own figure. */
  size_t before = locked_kb();
  for (unsigned i = 0; i < BULK; i++) object_make(hand, 16384, &bulk[i]);
  size_t peak = locked_kb();
  for (unsigned i = 0; i < BULK; i++) object_free(hand, &bulk[i]);
  copse_trim();
  size_t after = locked_kb();
  require(peak >= before + (12 << 10) && after + (12 << 10) <= peak);
  stress_most("kilobytes resident at the peak", peak);
  stress_most("kilobytes resident after a trim", after);
}

const struct scenario stress_scenario = {
  "four threads and a trimmer where all memory is locked",
  STRESS_FRESH,
  one_round,
};
