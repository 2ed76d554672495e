/* SPDX-License-Identifier: MIT */
/* Out of memory by injected failures: of the system's memory calls some, most or all fail, of one kind or of each, while six threads work. */
#include "shelf.h"
#include "vm_faults.h"

enum { WORKERS = 6, STEPS = 2500 };
static struct shelf shelf = SHELF_INITIALIZER;
static uint64_t seed, calls;
static unsigned percent, kinds; /* kinds: a bit each */

/* A refused munmap would leave memory to nobody: the kernel has none to refuse it for. */
static bool refuse(const struct vm_record *call) {
  if (call->kind == VM_MUNMAP || !(kinds >> call->kind & 1)) return false;
  uint64_t at = seed + __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  return random_below(&at, 100) < percent;
}

static void work(struct hand *hand) {
  for (unsigned i = 0; i < LESS(STEPS); i++) {
    struct object o = {0};
    size_t most = random_below(&hand->random, 50) ? 300000 : 5000000;
    if (random_below(&hand->random, 9) < 5) object_make(hand, most < 300001 ? random_size(&hand->random, most) : random_below(&hand->random, most), &o);
    if (o.p && random_below(&hand->random, 8) == 0) object_resize(hand, &o, 1 + random_below(&hand->random, 2 * o.size));
    o = shelf_swap(&shelf, (unsigned)random_below(&hand->random, SHELF), o);
    object_free(hand, &o);
    if (random_below(&hand->random, 400) == 0) copse_trim();
  }
}

static void one_round(struct hand *hand) {
  if (!vm_faults.refuse) {
    vm_faults_install();
    vm_faults.holes = false;
    vm_faults.refuse = refuse;
    /* The reservation is had by now: refused, it would be a smaller one for ever. */
    copse_free(copse_alloc(1), 1);
  }
  static const unsigned percents[] = {3, 30, 90, 100};
  seed = random_next(&hand->random);
  /* From now on, by one thread: none other is at work. */
  percent = percents[random_below(&hand->random, 4)];
  kinds = (unsigned)random_below(&hand->random, 1u << VM_KINDS);
  crew(WORKERS, work, NULL);
  /* Trims have asked for something. */
  require(percent < 90 || !(kinds >> VM_MADVISE & 1) || __atomic_load_n(&vm_faults.failed, __ATOMIC_RELAXED));
  percent = 0;
  stress_balance(0);
  if (random_below(&hand->random, 2)) shelf_clear(&shelf, hand);
  copse_trim();
  /* When the system obliges again there is memory of every kind. */
  struct object o;
  for (size_t size = 16; size <= 4 << 20; size *= 2) {
    require(object_make(hand, size, &o));
    object_free(hand, &o);
  }
  stress_add("system calls made to fail", __atomic_exchange_n(&vm_faults.failed, 0, __ATOMIC_RELAXED));
}

const struct scenario stress_scenario = {
  "system calls fail while six threads work",
  STRESS_REFUSALS,
  one_round,
};
