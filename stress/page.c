/* SPDX-License-Identifier: MIT */
/*
 * Pages of 16 and 64 KB, emulated: the system's answer to sysconf(_SC_PAGESIZE) is changed (the linker's --wrap), and each memory call
 * has to be in whole pages of that size.  Five threads and a trimmer.
 */
#include "shelf.h"
#include "vm_faults.h"
#include <unistd.h>

enum { WORKERS = 5, STEPS = 3000 };
static struct shelf shelf = SHELF_INITIALIZER;
static long page; /* 0: as it is */
static unsigned left;

long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name) { return name == _SC_PAGESIZE && page ? page : __real_sysconf(name); }

static void whole_pages(const struct vm_record *call) {
  uint64_t odd = ((uptr)call->address | call->length) & (uint64_t)(page - 1);
  /* Where the kernel puts a mapping it does so by its own pages. */
  if (call->kind == VM_MPROTECT || call->kind == VM_MADVISE) require(!odd);
}

static void work(struct hand *hand) {
  if (hand->number > WORKERS) {
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
      copse_trim();
      stress_breathe(hand);
    }
    return;
  }
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    struct object o = {0};
    if (random_below(&hand->random, 9) < 5) object_make(hand, random_size(&hand->random, i % 300 ? 150000 : 3000000), &o);
    if (o.p && random_below(&hand->random, 16) == 0) object_resize(hand, &o, 1 + random_below(&hand->random, 2 * o.size));
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
  }
  __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static void one_round(struct hand *hand) {
  struct copse_stats stats;
  page = random_below(&hand->random, 3) ? 65536 : 16384;
  vm_faults_install();
  vm_faults.holes = false;
  vm_faults.hook = whole_pages;
  require(copse_tune_set("cooldown", random_below(&hand->random, 2)) == 0);
  left = WORKERS;
  crew(WORKERS + 1, work, NULL);
  copse_stats(&stats);
  require(stats.page_size == (uint64_t)page);
  shelf_clear(&shelf, hand);
  copse_trim();
  copse_trim();
  stress_add("memory calls, each of whole pages", vm_faults.calls[VM_MPROTECT] + vm_faults.calls[VM_MADVISE]);
  stress_add("megabytes given back", stats.decommitted >> 20);
}

const struct scenario stress_scenario = {
  "pages of 16 and 64 KB, emulated, while five threads work and one trims",
  STRESS_FRESH,
  one_round,
};
