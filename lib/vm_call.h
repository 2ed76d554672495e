/* SPDX-License-Identifier: MIT */
/*
 * The system calls of vm.c and vm_huge.c: through copse_vm, each counted.  Nobody else includes this.
 */
#ifndef COPSE_VM_CALL_H
#define COPSE_VM_CALL_H

#include "atomic.h"
#include "vm.h"
#include <errno.h>
#include <sys/mman.h>

/* What older C libraries do not name yet. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

enum { PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS, ACCESS = PROT_READ | PROT_WRITE };

#define COUNTED(call) (add_relaxed(&copse_vm_counters.system_calls, (u64)1), (call))

/* NULL when refused, as everywhere else in copse. */
static inline void *vm_mmap(void *address, size_t length, int protection, int flags) {
  void *p = COUNTED(copse_vm->mmap(address, length, protection, flags));
  return p == MAP_FAILED ? NULL : p;
}

static inline bool vm_munmap(void *address, size_t length) { return COUNTED(copse_vm->munmap(address, length)) == 0; }

static inline bool vm_mprotect(void *address, size_t length, int protection) {
  return COUNTED(copse_vm->mprotect(address, length, protection)) == 0;
}

static inline bool vm_madvise(void *address, size_t length, int advice) {
  return COUNTED(copse_vm->madvise(address, length, advice)) == 0;
}

static inline void *vm_mremap(void *from, size_t length, int flags, void *to) {
  void *p = COUNTED(copse_vm->mremap(from, length, length, flags, to));
  return p == MAP_FAILED ? NULL : p;
}

/*
 * After a failed MREMAP_FIXED: the kernel may have unmapped the target before it found out that it cannot move.  The
 * target becomes reserved again at once, unless it still is (EEXIST).  What is left to fail by then, one mapping of known
 * kind moved as it is, is an allocation inside the kernel: there another thread's mmap may in theory come first.
 */
static inline void vm_mend_hole(void *address, size_t length) {
  void *p = vm_mmap(address, length, PROT_NONE, PRIVATE | MAP_NORESERVE | MAP_FIXED_NOREPLACE);
  if (p && p != address) vm_munmap(p, length); /* a kernel before 4.17 took the address for a wish */
}

#endif
