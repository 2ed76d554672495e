/* SPDX-License-Identifier: MIT */
/*
 * The system's memory: the one seam between copse and mmap(2).  Nothing here takes a lock of copse's, and nothing here
 * may be called while a pool's lock is held.  Addresses and lengths are bytes, of any alignment: commit rounds outwards
 * to pages, decommit inwards.  errno is not preserved.
 */
#ifndef COPSE_VM_H
#define COPSE_VM_H

#include "base.h"

/* The system calls, so that a test can count them or make any of them fail as it would: result and errno. */
struct vm_calls {
  void *(*mmap)(void *address, size_t length, int protection, int flags);
  int (*munmap)(void *address, size_t length);
  int (*mprotect)(void *address, size_t length, int protection);
  int (*madvise)(void *address, size_t length, int advice);
  void *(*mremap)(void *from, size_t old_length, size_t new_length, int flags, void *to);
};
/* The real ones.  Tests copy and change them, and set copse_vm before any thread starts. */
hidden extern const struct vm_calls copse_vm_system;
hidden extern const struct vm_calls *copse_vm;

/* Constant after copse_vm_start. */
struct vm_facts {
  size_t page;         /* bytes in a page: 4, 16 or 64 K, or more as a test emulates it */
  size_t huge;         /* bytes in a transparent huge page; 0 where there are none */
  bool huge_always;    /* the system gives transparent huge pages without being asked */
};
hidden extern struct vm_facts copse_vm_facts;

/* Written with relaxed adds by anybody. */
struct vm_counters {
  u64 system_calls, committed, decommitted, in_use;
  u64 mark; /* of in_use: above it is a new peak; trim.c moves it */
  u64 huge_1g, huge_2m, huge_advised, huge_1g_fallbacks, huge_2m_fallbacks;
};
hidden extern struct vm_counters copse_vm_counters;

/* Reads the facts (page size, /sys/kernel/mm/transparent_hugepage).  Once, before all others. */
hidden void copse_vm_start(void);
/* Part of it: no huge page was refused yet. */
hidden void copse_vm_huge_start(void);

/* Reserves `length` bytes without access (PROT_NONE, MAP_NORESERVE), aligned.  NULL when refused. */
hidden void *copse_vm_reserve(size_t length, size_t alignment);
/* Gives a whole reservation back. */
hidden void copse_vm_unreserve(void *address, size_t length);

/* Makes [address, address + length) readable and writable; fresh pages are zero.  Idempotent.
 * false: refused, or, where there are several mappings, the first of them may be so now. */
hidden bool copse_vm_access(void *address, size_t length);
/* The same, and its pages count as committed, those anew that were. */
hidden bool copse_vm_commit(void *address, size_t length);

/*
 * Gives back the pages that lie wholly inside: they stay accessible and read as zero.  MADV_DONTNEED, or
 * MADV_DONTNEED_LOCKED where the memory is locked.  Returns the bytes given back: 0 when refused.
 */
hidden size_t copse_vm_decommit(void *address, size_t length);

/* Gives back pages *and* access and the system's accounting of it (a PROT_NONE mapping over it).  false: nothing changed. */
hidden bool copse_vm_uncommit(void *address, size_t length);
/* The same two, for who counts what is given back himself, or for whom it is nothing. */
hidden size_t copse_vm_decommit_uncounted(void *address, size_t length);
hidden bool copse_vm_uncommit_uncounted(void *address, size_t length);

/*
 * Moves the pages of [from, from + length) to `to`, page-aligned, without a copy; `to` is inside our reservation and not
 * in use, [from, ...) stays mapped, accessible and reads as zero (MREMAP_DONTUNMAP).
 * `to` counts as committed anew.  false: nothing changed, but that `to` may have lost its access or have gained it.
 */
hidden bool copse_vm_move(void *from, size_t length, void *to);

/*
 * Backs the range (2 MB-aligned at both ends, not in use) with explicit huge pages where the parameter "huge" is 2 and
 * the system has enough of them free: of 1 GB where the range allows, then of 2 MB; each fallback is counted.  They are
 * mapped and touched elsewhere, for the first touch of what the system has but this process may not have is a SIGBUS, and moved over the
 * range, for a failed MAP_FIXED leaves a hole.
 * Returns the bytes, from `address` on, that are now committed this way: 0 when none.  The caller commits the rest, all
 * of it, whatever access it had before, and never decommits the first.
 */
hidden size_t copse_vm_commit_huge(void *address, size_t length);

/* Asks for transparent huge pages on the whole huge pages inside, or, where the system always gives them, for none. */
hidden void copse_vm_advise_huge(void *address, size_t length);
hidden void copse_vm_advise_small(void *address, size_t length);

/* Counts bytes that may have pages from now on, against the parameter "limit".  false: that would be above it. */
hidden bool copse_vm_charge(u64 bytes);
hidden void copse_vm_uncharge(u64 bytes);

#endif
