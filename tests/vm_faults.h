/* SPDX-License-Identifier: MIT */
/*
 * The system's memory calls, counted, watched, and made to fail.  For tests of every module: between vm_faults_install and
 * vm_faults_remove copse_vm is ours.  A call that fails does what the kernel's would: result, errno, and for MREMAP_FIXED
 * the hole where the target was.  Any thread may call; plans are changed while one thread runs.
 */
#ifndef COPSE_TESTS_VM_FAULTS_H
#define COPSE_TESTS_VM_FAULTS_H

#include "vm.h"

enum vm_kind { VM_MMAP, VM_MUNMAP, VM_MPROTECT, VM_MADVISE, VM_MREMAP, VM_KINDS, VM_ANY = VM_KINDS };

struct vm_record {
  enum vm_kind kind;
  void *address; /* mremap: the target */
  size_t length;
  int protection, flags, advice; /* as the kind has them, else 0 */
  bool failed;
};

enum { VM_LOG = 256 };

/* MADV_POPULATE_WRITE, which older C libraries do not name. */
enum { VM_POPULATE_WRITE = 23 };

struct vm_faults {
  u64 calls[VM_KINDS + 1]; /* since install or reset; [VM_ANY]: all */
  u64 failed;              /* how many of them were made to fail */
  struct vm_record log[VM_LOG]; /* the first of them */
  /* Called before every call, of whatever thread: to look whether a lock is held, or to fork.  Calls from it are real. */
  void (*hook)(const struct vm_record *call);
  /* Fails what it says true to, with the usual errno, beside the plan. */
  bool (*refuse)(const struct vm_record *call);
  /* Explicit huge pages that the system pretends to have: small ones are mapped instead.  -1: ask the real system. */
  long huge_1g, huge_2m;
  /* Failed MREMAP_FIXED leaves a hole; false where other threads might map something into it.  True after install. */
  bool holes;
};
extern struct vm_faults vm_faults;

void vm_faults_install(void);
void vm_faults_remove(void);
/* Counts, log and plan begin anew; hook, refuse and huge pages stay. */
void vm_faults_reset(void);
/* Call number k from now on (1: the next) of a kind fails; or that one and all later ones. */
void vm_faults_fail(enum vm_kind kind, u64 k);
void vm_faults_fail_from(enum vm_kind kind, u64 k);
void vm_faults_fail_none(void);

#endif
