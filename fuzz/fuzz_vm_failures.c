/* SPDX-License-Identifier: MIT */
/*
 * The public interface while system calls fail, as the input says: the next of a kind, every one from the k-th on, or by a pattern.
 * Nothing that is live may suffer, and when the system obliges again all of it comes back.  The reservation is the smallest in which
 * all classes have room, so that regions are full and classes borrow from one another.
 */
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "expect.h"
#include "setup.h"
#include "target.h"
#include "vm_faults.h"

enum { FAIL_ONE = API_KINDS, FAIL_FROM, FAIL_SOME, FAIL_NONE, HUGE_PAGES, BALANCE, KINDS };

static struct model model;
static uint32_t pattern;

/* Bit by bit, over and over.  A refused munmap would leave memory to nobody: the kernel has none to refuse it for. */
static bool refuse(const struct vm_record *call) {
  bool yes = pattern & 1 && call->kind != VM_MUNMAP;
  pattern = pattern >> 1 | (pattern & 1) << 31;
  return yes;
}

static void obey(const struct op *op, unsigned kind) {
  static const enum vm_kind kinds[] = {VM_MMAP, VM_MPROTECT, VM_MADVISE, VM_MREMAP};
  switch (kind) {
  case FAIL_ONE: vm_faults_fail(kinds[op->which % 4], (uint64_t)op->more % 8 + 1); break;
  case FAIL_FROM: vm_faults_fail_from(kinds[op->which % 4], (uint64_t)op->more % 8 + 1); break;
  case FAIL_SOME: pattern = op->value; break;
  case FAIL_NONE:
    vm_faults_fail_none();
    pattern = 0;
    break;
  case HUGE_PAGES: vm_faults.huge_2m = op->more % 8; break;
  }
}

static void start(void) {
  if (setup_reserve((uint64_t)1 << 30, 1)) vm_faults_install();
  vm_faults_reset();
  vm_faults.refuse = refuse;
  vm_faults.huge_1g = vm_faults.huge_2m = 0;
  pattern = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  struct model *models[] = {&model};
  const struct model *const *seen = (const struct model *const *)models;
  start();
  model_clear(&model, 1);
  model.may_fail = true;
  while (op_next(&ops, &op)) {
    unsigned kind = op.kind % KINDS;
    /* Which trim gives back what depends on which call fails. */
    if (kind == API_COOLDOWN) kind = API_FREE_MANY;
    if (kind == BALANCE) balance_check(seen, 1, false);
    else if (!api_do(&model, &op, kind)) obey(&op, kind);
  }
  vm_faults_fail_none();
  pattern = 0;
  model_check(&model);
  balance_check(seen, 1, false);
  api_serve_all(&model);
  balance_end(models, 1);
  return 0;
}
