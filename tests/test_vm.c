/* SPDX-License-Identifier: MIT */
/* The system's memory: what each call promises, what it leaves behind when the system refuses, and the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "atomic.h"
#include "child.h"
#include "tunables.h"
#include "vm_faults.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)
#define GB ((size_t)1 << 30)

static size_t page;

/* Whether something, with or without access, is mapped there. */
static bool mapped(void *p) { return msync(p, page, MS_ASYNC) == 0; }

/* Bytes of it that have pages. */
static size_t resident(char *p, size_t length) {
  unsigned char in[4096];
  assert_true(length / page <= sizeof in && mincore(p, length, in) == 0);
  size_t n = 0;
  for (size_t i = 0; i < length / page; i++) n += in[i] & 1;
  return n * page;
}

/* Whether a byte may be read, without a signal handler: by asking the kernel to read it. */
static bool accessible(const void *p) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  bool done = write(ends[1], p, 1) == 1;
  close(ends[0]);
  close(ends[1]);
  return done;
}

static int setup(void **state) {
  (void)state;
  copse_vm_start();
  page = copse_vm_facts.page;
  vm_faults_install();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  vm_faults_remove();
  copse_tunables.huge = HUGE_DEFAULT;
  return 0;
}

static void facts(void **state) {
  (void)state;
  assert_int_equal(page, sysconf(_SC_PAGESIZE));
  assert_true(copse_vm_facts.huge == 0 || is_power_of_two(copse_vm_facts.huge));
  assert_true(copse_vm_facts.huge != page);
  if (!copse_vm_facts.huge) assert_false(copse_vm_facts.huge_always);
}

static void reserve_aligned(void **state) {
  (void)state;
  for (size_t alignment = page; alignment <= 4 * GB; alignment *= 4) {
    char *p = copse_vm_reserve(3 * MB, alignment);
    assert_non_null(p);
    assert_int_equal((uptr)p % alignment, 0);
    assert_true(mapped(p) && mapped(p + 3 * MB - page));
    assert_false(accessible(p));
    copse_vm_unreserve(p, 3 * MB);
    assert_false(mapped(p) || mapped(p + 3 * MB - page));
  }
  assert_null(copse_vm_reserve(SIZE_MAX - page, GB));
  assert_null(copse_vm_reserve((size_t)1 << 62, GB));
}

/* What a process has mapped, in pages. */
static long mapped_pages(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%ld", &pages), 1);
  fclose(file);
  return pages;
}

static void reserve_refused(void **state) {
  (void)state;
  bool done = false;
  mapped_pages(); /* what stdio allocates once */
  for (u64 k = 1; !done; k++) {
    long before = mapped_pages();
    vm_faults_reset();
    vm_faults_fail(VM_ANY, k);
    void *p = copse_vm_reserve(5 * MB, 64 * MB);
    done = !vm_faults.failed;
    vm_faults_fail_none();
    if (p) copse_vm_unreserve(p, 5 * MB);
    assert_true(p || vm_faults.failed);
    assert_in_range(mapped_pages(), before - 64, before + 64);
    assert_true(k < 20);
  }
  /* Without room for the alignment it is found all the same. */
  vm_faults_reset();
  vm_faults_fail(VM_MMAP, 1);
  char *p = copse_vm_reserve(5 * MB, 64 * MB);
  assert_non_null(p);
  assert_int_equal((uptr)p % (64 * MB), 0);
  /* By wishes: ThreadSanitizer takes an address away that it does not like, and leaves the flags, with which the kernel maps at 0. */
  for (u64 i = 0; i < vm_faults.calls[VM_ANY]; i++)
    if (vm_faults.log[i].kind == VM_MMAP) assert_false(vm_faults.log[i].flags & (MAP_FIXED | MAP_FIXED_NOREPLACE));
  copse_vm_unreserve(p, 5 * MB);
}

static int little_address_space(void) {
  struct rlimit limit = {700 * MB, 700 * MB};
  if (own_status("VmSize") > 100 * MB) return SKIPPED; /* a sanitizer's own reservation */
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  char *p = copse_vm_reserve(512 * MB, GB);
  CHECK(p && (uptr)p % GB == 0);
  CHECK(!copse_vm_reserve(512 * MB, GB));
  copse_vm_unreserve(p, 512 * MB);
  CHECK((p = copse_vm_reserve(512 * MB, GB)));
  return 0;
}

static void reserve_under_rlimit_as(void **state) {
  (void)state;
  int result = in_child(little_address_space);
  if (result == SKIPPED) {
    print_message("means nothing here: left out\n");
    return;
  }
  assert_int_equal(result, 0);
}

static void commit_and_give_back(void **state) {
  (void)state;
  char *p = copse_vm_reserve(4 * MB, 2 * MB);
  assert_non_null(p);
  u64 committed = copse_vm_counters.committed, gone = copse_vm_counters.decommitted;
  /* Outwards: one byte each of two pages. */
  assert_true(copse_vm_commit(p + page - 1, 2));
  assert_int_equal(copse_vm_counters.committed - committed, 2 * page);
  assert_true(accessible(p) && accessible(p + 2 * page - 1));
  assert_false(accessible(p + 2 * page));
  assert_true(copse_vm_commit(p, MB));
  committed = copse_vm_counters.committed;
  memset(p, 1, MB);
  assert_int_equal(resident(p, MB), MB);
  /* Inwards. */
  assert_int_equal(copse_vm_decommit(p + 1, 2 * page), page);
  assert_int_equal(copse_vm_decommit(p + 1, 2 * page - 2), 0);
  assert_int_equal(copse_vm_decommit(p + 1, page - 1), 0);
  assert_int_equal(p[page - 1], 1);
  assert_int_equal(p[page], 0);
  assert_int_equal(p[2 * page - 1], 0);
  assert_int_equal(p[2 * page], 1);
  assert_int_equal(copse_vm_counters.decommitted - gone, page);
  assert_int_equal(copse_vm_counters.committed, committed);
  assert_true(copse_vm_uncommit(p, MB));
  assert_int_equal(committed - copse_vm_counters.committed, MB);
  assert_true(mapped(p));
  assert_false(accessible(p));
  assert_true(copse_vm_commit(p, MB));
  assert_int_equal(p[0], 0);
  copse_vm_unreserve(p, 4 * MB);
}

static void commit_refused(void **state) {
  (void)state;
  char *p = copse_vm_reserve(MB, page);
  struct vm_counters before = copse_vm_counters;
  vm_faults_reset();
  vm_faults_fail_from(VM_ANY, 1);
  assert_false(copse_vm_commit(p, MB));
  assert_int_equal(copse_vm_counters.committed, before.committed);
  assert_int_equal(copse_vm_decommit(p, MB), 0);
  assert_false(copse_vm_uncommit(p, MB));
  assert_int_equal(copse_vm_counters.decommitted, before.decommitted);
  assert_int_equal(copse_vm_counters.system_calls - before.system_calls, 4);
  vm_faults_fail_none();
  /* Nothing is sticky. */
  assert_true(copse_vm_commit(p, MB));
  p[0] = 1;
  assert_int_equal(copse_vm_decommit(p, MB), MB);
  assert_int_equal(p[0], 0);
  copse_vm_unreserve(p, MB);
}

static bool refuse_dontneed(const struct vm_record *call) { return call->kind == VM_MADVISE && call->advice == MADV_DONTNEED; }

static void decommit_locked_memory(void **state) {
  (void)state;
  char *p = copse_vm_reserve(MB, page);
  assert_true(copse_vm_commit(p, MB));
  memset(p, 1, MB);
  vm_faults_reset();
  vm_faults.refuse = refuse_dontneed;
  assert_int_equal(copse_vm_decommit(p, MB), MB);
  assert_int_equal(vm_faults.calls[VM_MADVISE], 2);
  assert_int_equal(vm_faults.log[1].advice, 24);
  vm_faults.refuse = NULL;
  /* The next asks for the common thing first again. */
  vm_faults_reset();
  assert_int_equal(copse_vm_decommit(p, MB), MB);
  assert_int_equal(vm_faults.calls[VM_MADVISE], 1);
  assert_int_equal(vm_faults.log[0].advice, MADV_DONTNEED);
  /* And for real. */
  if (mlock(p, 64 * KB) == 0) {
    memset(p, 1, MB);
    assert_int_equal(copse_vm_decommit(p, 64 * KB), 64 * KB);
    for (size_t i = 0; i < 64 * KB; i++) assert_int_equal(p[i], 0);
    assert_int_equal(p[64 * KB], 1);
  }
  copse_vm_unreserve(p, MB);
}

/* A pattern of its own a seed, a word in each line. */
static void fill(char *p, size_t length, unsigned seed) {
  for (size_t i = 0; i < length; i += 64) *(unsigned *)(void *)(p + i) = (unsigned)(i / 64) * 2654435761u + seed;
}
static bool filled(const char *p, size_t length, unsigned seed) {
  for (size_t i = 0; i < length; i += 64)
    if (*(const unsigned *)(const void *)(p + i) != (unsigned)(i / 64) * 2654435761u + seed) return false;
  return true;
}
static bool zeros(const char *p, size_t length) { return !p[0] && !memcmp(p, p + 1, length - 1); }

static void move(void **state) {
  (void)state;
  char *p = copse_vm_reserve(64 * MB, 2 * MB);
  assert_true(copse_vm_commit(p, 2 * MB));
  fill(p, 2 * MB, 1);
  u64 committed = copse_vm_counters.committed;
  assert_true(copse_vm_move(p, 2 * MB, p + 16 * MB));
  assert_int_equal(copse_vm_counters.committed - committed, 2 * MB);
  assert_true(filled(p + 16 * MB, 2 * MB, 1) && zeros(p, 2 * MB));
  assert_false(accessible(p + 18 * MB));
  p[1] = 1;
  /* What was moved and what was added behind are two mappings; they move as one. */
  assert_true(copse_vm_commit(p + 18 * MB, 4 * MB));
  fill(p + 16 * MB, 6 * MB, 2);
  assert_true(copse_vm_move(p + 16 * MB, 6 * MB, p + 40 * MB));
  assert_true(filled(p + 40 * MB, 6 * MB, 2) && zeros(p + 16 * MB, 6 * MB));
  copse_vm_unreserve(p, 64 * MB);
}

/* Whatever fails, the pages are in one place, whole, and no hole is left. */
static void move_refused(void **state) {
  (void)state;
  char *p = copse_vm_reserve(32 * MB, 2 * MB);
  unsigned refusals = 0;
  for (unsigned seams = 0; seams < 2; seams++) {
    bool done = false;
    for (u64 k = 1; !done; k++) {
      assert_true(copse_vm_uncommit(p, 32 * MB));
      assert_true(copse_vm_commit(p, 4 * MB));
      p[0] = 1;
      if (seams) assert_true(copse_vm_move(p, 2 * MB, p + 8 * MB) && copse_vm_move(p + 8 * MB, 2 * MB, p));
      fill(p, 4 * MB, (unsigned)k);
      u64 committed = copse_vm_counters.committed;
      vm_faults_reset();
      vm_faults_fail(VM_ANY, k);
      bool moved = copse_vm_move(p, 4 * MB, p + 16 * MB);
      done = !vm_faults.failed;
      vm_faults_fail_none();
      assert_true(mapped(p + 16 * MB) && mapped(p + 20 * MB - page));
      assert_true(filled(moved ? p + 16 * MB : p, 4 * MB, (unsigned)k));
      assert_int_equal(copse_vm_counters.committed - committed, moved ? 4 * MB : 0);
      refusals += !moved;
      assert_true(moved || !done);
      assert_true(copse_vm_move(moved ? p + 16 * MB : p, 4 * MB, p + 24 * MB));
      assert_true(filled(p + 24 * MB, 4 * MB, (unsigned)k));
      assert_true(k < 20);
    }
  }
  assert_true(refusals >= 4);
  copse_vm_unreserve(p, 32 * MB);
}

static bool refuse_long_moves(const struct vm_record *call) {
  return call->kind == VM_MREMAP && call->length > MB && !(call->flags & MREMAP_FIXED);
}
static void *mremap_seams(void *from, size_t old_length, size_t new_length, int flags, void *to) {
  /* A kernel that moves one mapping at a time, where each has 1 MB. */
  if (old_length > MB && !(flags & MREMAP_FIXED)) {
    errno = EFAULT;
    return MAP_FAILED;
  }
  return copse_vm_system.mremap(from, old_length, new_length, flags, to);
}

static void move_in_pieces(void **state) {
  (void)state;
  char *p = copse_vm_reserve(32 * MB, 2 * MB);
  assert_true(copse_vm_commit(p, 5 * MB));
  fill(p, 5 * MB, 9);
  struct vm_calls calls = copse_vm_system;
  calls.mremap = mremap_seams;
  const struct vm_calls *before = copse_vm;
  copse_vm = &calls;
  assert_true(copse_vm_move(p, 5 * MB, p + 16 * MB));
  copse_vm = before;
  assert_true(filled(p + 16 * MB, 5 * MB, 9) && zeros(p, 5 * MB));
  /* ENOMEM is no seam: it is not tried in pieces. */
  vm_faults_reset();
  vm_faults.refuse = refuse_long_moves;
  assert_false(copse_vm_move(p + 16 * MB, 5 * MB, p));
  assert_int_equal(vm_faults.calls[VM_MREMAP], 1);
  vm_faults.refuse = NULL;
  copse_vm_unreserve(p, 32 * MB);
}

/* Where one fits, never two pass. */
static void *charge(void *over) {
  for (unsigned i = 0; i < 1000000; i++) {
    if (!copse_vm_charge(1)) continue;
    if (load_relaxed(&copse_vm_counters.in_use) != 1) ++*(u64 *)over;
    copse_vm_uncharge(1);
  }
  return NULL;
}

static void limit(void **state) {
  (void)state;
  u64 before = copse_vm_counters.in_use;
  assert_true(copse_vm_charge(1000));
  copse_tunables.limit = before + 1000;
  assert_false(copse_vm_charge(1));
  copse_vm_uncharge(1);
  assert_true(copse_vm_charge(1));
  assert_false(copse_vm_charge(UINT64_MAX));
  copse_tunables.limit = before + 500; /* lowered below what is in use */
  assert_false(copse_vm_charge(1));
  copse_vm_uncharge(1000);
  assert_int_equal(copse_vm_counters.in_use, before);
  assert_int_equal(before, 0);
  copse_tunables.limit = 1;
  pthread_t threads[4];
  u64 over[4] = {0};
  for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, charge, &over[i]), 0);
  for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (unsigned i = 0; i < 4; i++) assert_int_equal(over[i], 0);
  assert_int_equal(copse_vm_counters.in_use, before);
  copse_tunables.limit = 0;
}

static void larger_pages(void **state) {
  (void)state;
  for (size_t larger = 16 * KB; larger <= 64 * KB; larger *= 4) {
    copse_vm_facts.page = larger;
    char *p = copse_vm_reserve(MB, 1);
    assert_non_null(p);
    assert_int_equal((uptr)p % larger, 0);
    assert_true(copse_vm_commit(p + larger + 1, 1));
    assert_false(accessible(p + larger - 1) || accessible(p + 2 * larger));
    assert_true(accessible(p + larger) && accessible(p + 2 * larger - 1));
    assert_int_equal(copse_vm_decommit(p + larger, 2 * larger - 1), larger);
    copse_vm_unreserve(p, MB);
  }
  copse_vm_facts.page = page;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(facts, setup, teardown),
    cmocka_unit_test_setup_teardown(reserve_aligned, setup, teardown),
    cmocka_unit_test_setup_teardown(reserve_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(reserve_under_rlimit_as, setup, teardown),
    cmocka_unit_test_setup_teardown(commit_and_give_back, setup, teardown),
    cmocka_unit_test_setup_teardown(commit_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(decommit_locked_memory, setup, teardown),
    cmocka_unit_test_setup_teardown(move, setup, teardown),
    cmocka_unit_test_setup_teardown(move_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(move_in_pieces, setup, teardown),
    cmocka_unit_test_setup_teardown(limit, setup, teardown),
    cmocka_unit_test_setup_teardown(larger_pages, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
