/* SPDX-License-Identifier: MIT */
#include "vm_faults.h"
#include "atomic.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct vm_faults vm_faults = {.huge_1g = -1, .huge_2m = -1, .holes = true};

/* The plan: fails when `left` of the kind has been counted down to 1; from then on too, if `on`. */
static struct {
  enum vm_kind kind;
  u64 at, seen;
  bool on;
} plan;

static __thread bool inside; /* a hook that calls us is not watched */

/* Counts and logs a call.  True: it is to fail. */
static bool watch(struct vm_record call) {
  if (inside) return false;
  if (vm_faults.hook) {
    inside = true;
    vm_faults.hook(&call);
    inside = false;
  }
  add_relaxed(&vm_faults.calls[call.kind], (u64)1);
  u64 at = add_relaxed(&vm_faults.calls[VM_ANY], (u64)1);
  if (plan.at && (plan.kind == VM_ANY || plan.kind == call.kind)) {
    u64 seen = add_relaxed(&plan.seen, (u64)1) + 1;
    call.failed = seen == plan.at || (plan.on && seen > plan.at);
  }
  if (vm_faults.refuse && vm_faults.refuse(&call)) call.failed = true;
  if (at < VM_LOG) vm_faults.log[at] = call;
  if (call.failed) add_relaxed(&vm_faults.failed, (u64)1);
  return call.failed;
}

static int refused(int error) {
  errno = error;
  return -1;
}

/* Takes that many huge pages of the pretended ones.  False: there are not as many. */
static bool take_huge(long *pool, size_t pages) {
  long had = load_relaxed(pool);
  do
    if (had < (long)pages) return false;
  while (!cas_relaxed(pool, &had, had - (long)pages));
  return true;
}

static void *faulty_mmap(void *address, size_t length, int protection, int flags) {
  if (watch((struct vm_record){.kind = VM_MMAP, .address = address, .length = length, .protection = protection, .flags = flags})) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  if (flags & MAP_HUGETLB) {
    unsigned shift = (unsigned)flags >> 26 & 63;
    long *pool = shift == 30 ? &vm_faults.huge_1g : &vm_faults.huge_2m;
    if (load_relaxed(pool) >= 0) {
      if (!take_huge(pool, length >> shift)) {
        errno = ENOMEM;
        return MAP_FAILED;
      }
      flags &= ~(MAP_HUGETLB | (int)(63u << 26));
    }
  }
  return copse_vm_system.mmap(address, length, protection, flags);
}

static int faulty_munmap(void *address, size_t length) {
  if (watch((struct vm_record){.kind = VM_MUNMAP, .address = address, .length = length})) return refused(ENOMEM);
  return copse_vm_system.munmap(address, length);
}

static int faulty_mprotect(void *address, size_t length, int protection) {
  if (watch((struct vm_record){.kind = VM_MPROTECT, .address = address, .length = length, .protection = protection}))
    return refused(ENOMEM);
  return copse_vm_system.mprotect(address, length, protection);
}

static int faulty_madvise(void *address, size_t length, int advice) {
  if (watch((struct vm_record){.kind = VM_MADVISE, .address = address, .length = length, .advice = advice}))
    return refused(EINVAL);
  /* Of pretended huge pages; there may be many. */
  if (advice == VM_POPULATE_WRITE && (load_relaxed(&vm_faults.huge_1g) >= 0 || load_relaxed(&vm_faults.huge_2m) >= 0)) return 0;
  return copse_vm_system.madvise(address, length, advice);
}

static void *faulty_mremap(void *from, size_t old_length, size_t new_length, int flags, void *to) {
  if (watch((struct vm_record){.kind = VM_MREMAP, .address = to, .length = new_length, .flags = flags})) {
    if (flags & MREMAP_FIXED && vm_faults.holes) copse_vm_system.munmap(to, new_length);
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return copse_vm_system.mremap(from, old_length, new_length, flags, to);
}

static const struct vm_calls faulty = {faulty_mmap, faulty_munmap, faulty_mprotect, faulty_madvise, faulty_mremap};

void vm_faults_reset(void) {
  vm_faults_fail_none();
  memset(vm_faults.calls, 0, sizeof vm_faults.calls);
  memset(vm_faults.log, 0, sizeof vm_faults.log);
  vm_faults.failed = 0;
}

void vm_faults_install(void) {
  vm_faults_reset();
  vm_faults.hook = NULL;
  vm_faults.refuse = NULL;
  vm_faults.huge_1g = vm_faults.huge_2m = -1;
  vm_faults.holes = true;
  copse_vm = &faulty;
}

void vm_faults_remove(void) {
  copse_vm = &copse_vm_system;
  vm_faults_fail_none();
}

static void set_plan(enum vm_kind kind, u64 k, bool on) {
  plan.kind = kind;
  plan.at = k;
  plan.seen = 0;
  plan.on = on;
}

void vm_faults_fail(enum vm_kind kind, u64 k) { set_plan(kind, k, false); }
void vm_faults_fail_from(enum vm_kind kind, u64 k) { set_plan(kind, k, true); }
void vm_faults_fail_none(void) { set_plan(VM_ANY, 0, false); }
