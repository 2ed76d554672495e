/* SPDX-License-Identifier: MIT */
/*
 * The same threads, all at once: each has its own part of the input and its own model, and they pass allocations to one another
 * through a few places.  An input may have the system refuse some of what a thread asks of it.  A finding may need more than one run
 * to show again.
 */
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "crew.h"
#include "expect.h"
#include "setup.h"
#include "target.h"
#include "vm_faults.h"
#include <unistd.h>

enum { PLACES = 16, PASS = API_KINDS, REFUSE, KINDS };

static struct model models[CREW];
/* Allocations on their way. */
static struct live places[PLACES];
static unsigned char busy[PLACES]; /* 0 free, 1 being written or read, 2 full */

static bool change(unsigned place, unsigned char from, unsigned char to) {
  return __atomic_compare_exchange_n(&busy[place], &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Puts one into a place that is free, or takes what is there. */
static void pass(struct model *m, const struct op *op) {
  unsigned place = op->more % PLACES;
  if (change(place, 2, 1)) {
    struct live l = places[place];
    bool room = m->count < MODEL_MOST;
    if (room) model_adopt(m, &l);
    __atomic_store_n(&busy[place], room ? 0 : 2, __ATOMIC_RELEASE);
  } else if (m->count && change(place, 0, 1)) {
    places[place] = model_take(m, op->which % m->count);
    __atomic_store_n(&busy[place], 2, __ATOMIC_RELEASE);
  }
}

struct part {
  struct ops ops;
  unsigned thread;
};

/* Which of this thread's next calls are refused, bit by bit.  A refused munmap would leave memory to nobody. */
static __thread uint32_t refusals;
static bool refuse(const struct vm_record *call) {
  bool yes = refusals & 1 && call->kind != VM_MUNMAP;
  refusals >>= 1;
  if (yes) usleep(50); /* others go on meanwhile, and claim what is behind */
  return yes;
}
static bool has_refusals(struct ops ops) {
  struct op op;
  while (op_next(&ops, &op))
    if (op.kind % KINDS == REFUSE) return true;
  return false;
}

/* Parameters that may change at any time, each in its range. */
static void tune(const struct op *op) {
  unsigned more = op->more;
  switch (op->value % 8) {
  case 0: copse_tune_set("depth_1k", 4 + more % 117); break;
  case 1: copse_tune_set("recycler", more % 8); break;
  case 2: copse_tune_set("peak_trim", more % 32); break;
  case 3: copse_tune_set("cooldown", more % 4); break;
  case 4: copse_tune_set("depth_1m", 1 + more % 120); break;
  case 5: copse_tune_set("growth_min", (uint64_t)4096 << more % 4); break;
  case 6: copse_tune_set("growth_max", (uint64_t)65536 << more % 8); break;
  case 7: copse_tune_set("span_cache", (uint64_t)(more % 8) << 21); break;
  }
}

static void work(void *argument) {
  struct part *part = argument;
  struct model *m = &models[part->thread];
  struct op op;
  while (op_next(&part->ops, &op)) {
    unsigned kind = op.kind % KINDS;
    if (op_thread(&op, CREW) != part->thread) continue;
    /* Parameters are everybody's: a limit would fail requests of those who do not expect it; nor can others be kept from freeing. */
    if (kind == API_TUNE && op.which % 14 == 9) kind = API_TRIM;
    if (kind == API_COOLDOWN) kind = API_FREE_MANY;
    if (kind == API_TUNE) tune(&op);
    else if (kind == REFUSE) refusals = op.value;
    else if (!api_do(m, &op, kind)) pass(m, &op);
  }
  refusals = 0;
  model_check(m);
  copse_thread_flush();
}

/*
 * The engine's counters are not atomic: threads at once are a race there, of which ThreadSanitizer's runtime is told, where it is.
 * Where they are the linker knows; the compiler has names of its own for that, which may not be declared here.
 */
__asm__(".weak __start___sancov_cntrs\n"
        ".weak __stop___sancov_cntrs\n"
        ".globl engine_counters\n"
        ".hidden engine_counters\n"
        ".pushsection .data.rel.ro,\"aw\"\n"
        ".balign 8\n"
        "engine_counters: .quad __start___sancov_cntrs, __stop___sancov_cntrs\n"
        ".popsection");
extern const volatile char *const engine_counters[2]; /* from, to */
__attribute__((weak)) void AnnotateBenignRaceSized(const char *file, int line, const volatile void *from, size_t bytes, const char *why);
static void tell_of_counters(void) {
  size_t bytes = (size_t)(engine_counters[1] - engine_counters[0]);
  if (AnnotateBenignRaceSized && bytes) AnnotateBenignRaceSized(__FILE__, __LINE__, engine_counters[0], bytes, "the engine's counters");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct part parts[CREW];
  void *arguments[CREW];
  struct model *all[CREW];
  if (setup_reserve((uint64_t)1 << 36, 2)) {
    tell_of_counters();
    vm_faults_install();
    vm_faults.refuse = refuse;
    vm_faults.holes = false;
  }
  bool may_fail = has_refusals(ops_of(data, size));
  for (unsigned i = 0; i < CREW; i++) {
    model_clear(&models[i], ((uint64_t)i + 1) << 32);
    models[i].crowded = true;
    models[i].may_fail = may_fail;
    parts[i] = (struct part){ops_of(data, size), i};
    arguments[i] = &parts[i];
    all[i] = &models[i];
  }
  crew_do_all(work, arguments);
  for (unsigned i = 0; i < PLACES; i++) {
    if (busy[i] != 2) continue;
    busy[i] = 0;
    unsigned k = 0;
    while (k < CREW - 1 && models[k].count == MODEL_MOST) k++;
    /* Where no model has room for one more, one makes some. */
    if (models[k].count == MODEL_MOST) api_free_one(&models[k], 0, 1);
    model_adopt(&models[k], &places[i]);
  }
  /* No two threads have the same memory. */
  for (unsigned i = 0; i < CREW; i++)
    for (unsigned k = 0; k < models[i].count; k++) {
      const struct live *a = &models[i].live[k];
      for (unsigned j = i + 1; j < CREW; j++)
        for (unsigned l = 0; l < models[j].count; l++) {
          const struct live *b = &models[j].live[l];
          expect(a->at + a->usable <= b->at || b->at + b->usable <= a->at);
        }
    }
  balance_check((const struct model *const *)all, CREW, false);
  balance_end(all, CREW);
  return 0;
}
