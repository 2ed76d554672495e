/* SPDX-License-Identifier: MIT */
/*
 * Spans when the system refuses: every call of every operation, once and for good; and what a forked child finds, whichever
 * call the parent was in.
 */
#include "span_help.h"
#include "span_run.h"
#include "span_state.h"

/* The span that the operations work on, and one behind it that is in the way. */
static char *subject, *block;
static u64 subject_size;

/* Some words of it: with all of it touched, forks and tools take their time. */
enum { STRIDE = 96 * 1024 };
static void mark(char *p, u64 length, u64 name) {
  for (u64 i = 0; i + 8 <= length; i += STRIDE) *(u64 *)(void *)(p + i) = name + i;
}
static bool marked(const char *p, u64 length, u64 name) {
  for (u64 i = 0; i + 8 <= length; i += STRIDE)
    if (*(const u64 *)(const void *)(p + i) != name + i) return false;
  return true;
}

/* No word that mark writes, nor its neighbours, is anything but zero. */
static bool unmarked(const char *p, u64 length) {
  for (u64 i = 0; i < length; i += 4096)
    if (p[i] || p[i + 7]) return false;
  return true;
}

struct operation {
  const char *name;
  u64 cache, huge;
  long huge_2m;         /* pretended explicit huge pages */
  bool blocked;         /* something is right behind the subject */
  bool seam;            /* and it was moved before, and grew there */
  void *(*run)(void);   /* NULL: refused */
  bool may_not_fail;    /* what frees always succeeds */
};

static void *take_plain(void) { return copse_span_alloc(5 * MB, 1, false); }
static void *take_zeroed(void) { return copse_span_alloc(11 * MB + 4096, 1, true); }
static void *take_aligned(void) { return copse_span_alloc(3 * MB, 64 * MB, true); }
static void *grow_a_little(void) { return subject = copse_span_resize(subject, subject_size + MB / 2); }
static void *grow(void) { return subject = copse_span_resize(subject, subject_size + 9 * MB); }
static void *shrink(void) { return subject = copse_span_resize(subject, subject_size - 5 * MB); }
static void *give_back(void) {
  bool freed = copse_span_free(subject);
  subject = NULL;
  return freed ? &subject : NULL;
}
static void *trim(void) { return copse_span_trim() ? &subject : NULL; }

static const struct operation operations[] = {
  {"take", 0, 1, 0, false, false, take_plain, false},
  {"take, explicit huge pages", 0, 2, 100, false, false, take_plain, false},
  {"take, too few explicit huge pages", 0, 2, 2, false, false, take_zeroed, false},
  {"take zeroed", 0, 1, 0, false, false, take_zeroed, false},
  {"take zeroed from the cache", GB, 0, 0, false, false, take_zeroed, false},
  {"take aligned", 0, 0, 0, false, false, take_aligned, false},
  {"grow a little", GB, 1, 0, false, false, grow_a_little, false},
  {"grow in place", 0, 1, 0, false, false, grow, false},
  {"grow by moving", 0, 1, 0, true, false, grow, false},
  {"grow by moving again", 0, 1, 0, true, true, grow, false},
  {"grow an explicit one", 0, 2, 100, false, false, grow, false},
  {"shrink", 0, 1, 0, false, false, shrink, true},
  {"shrink an explicit one", 0, 2, 100, false, false, shrink, false},
  {"free", 0, 1, 0, false, false, give_back, true},
  {"free into the cache", GB, 1, 0, false, false, give_back, true},
  {"free an explicit one", 0, 2, 100, false, false, give_back, true},
  {"trim", GB, 1, 0, false, false, trim, false},
};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* A state in which each operation has something to do: free granules, clean, dirty and bare; a cached span; the subject. */
static void prepare(const struct operation *o) {
  copse_tunables = (struct tunables){.huge = o->huge, .span_cache = o->cache};
  vm_faults.huge_2m = o->huge_2m;
  vm_faults.huge_1g = 0;
  char *low = copse_span_alloc(17 * MB, 1, false), *cached = copse_span_alloc(12 * MB, 1, false);
  mark(low, 17 * MB, 1);
  mark(cached, 12 * MB, 2);
  subject_size = 9 * MB;
  assert_non_null(subject = copse_span_alloc(o->seam ? 3 * MB : subject_size, 1, false));
  block = o->blocked ? copse_span_alloc(MB, 1, false) : NULL;
  if (o->seam) {
    char *before = subject;
    mark(subject, 3 * MB, 1);
    assert_true((subject = copse_span_resize(subject, subject_size)) != before);
    assert_true(subject && copse_span_free(block));
    block = copse_span_alloc(100 * MB, 1, false); /* too large for anywhere else */
    assert_ptr_equal(block, subject + 10 * MB);
  }
  mark(subject, subject_size, 77);
  assert_true(copse_span_free(low));
  assert_true(copse_span_free(cached)); /* kept, where the operation has a cache */
  assert_true(copse_span_valid());
}

static void clean_up(void *p) {
  if (p && p != &subject && p != subject) assert_true(copse_span_free(p));
  if (subject) assert_true(copse_span_free(subject));
  if (block) assert_true(copse_span_free(block));
  subject = block = NULL;
}

/* The contents that an operation leaves in the subject. */
static void check_subject(void) {
  if (subject) assert_true(marked(subject, min_u64(copse_span_size(subject), subject_size), 77));
}

/* What the system was asked to commit for spans, and what the bitmap says: the same, or some would never be given back. */
static u64 others; /* committed, but not for spans */
static u64 committed_bytes(void) {
  return copse_run_count(copse_span_state.committed, 0, copse_span_state.granules) * GRANULE;
}

static void refuse_each(const struct operation *o, bool for_good, u64 *refusals) {
  bool done = false;
  for (u64 k = 1; !done; k++) {
    prepare(o);
    char *had = subject;
    u64 spans = copse_span_counters.spans, bytes = copse_span_counters.bytes;
    vm_faults_reset();
    if (for_good) vm_faults_fail_from(VM_ANY, k);
    else vm_faults_fail(VM_ANY, k);
    void *p = o->run();
    done = !vm_faults.failed;
    vm_faults_fail_none();
    assert_true(copse_span_valid());
    *refusals += !p;
    assert_true(p || !o->may_not_fail);
    if (!p) {
      /* As it was. */
      if (!subject) subject = had;
      assert_int_equal(copse_span_counters.spans, spans);
      assert_int_equal(copse_span_counters.bytes, bytes);
      assert_int_equal(copse_span_size(had), subject_size);
    }
    assert_int_equal(copse_vm_counters.in_use, copse_span_counters.bytes + copse_span_counters.cached);
    check_subject();
    assert_int_equal(copse_vm_counters.committed - others, committed_bytes());
    if (p && p != &subject && p != subject) {
      u64 size = copse_span_size(p);
      if (o->run != take_plain) assert_true(unmarked(p, size));
      mark(p, size, 3);
      assert_true(marked(p, size, 3));
    }
    /* And it works again. */
    void *q = copse_span_alloc(70 * MB, 1, true); /* over where a move would have gone */
    assert_non_null(q);
    assert_true(unmarked(q, 70 * MB));
    mark(q, 70 * MB, 4);
    assert_true(copse_span_free(q));
    clean_up(p);
    assert_true(span_idle());
    assert_true(k < 100);
  }
}

static void every_call_refused(void **state) {
  (void)state;
  for (unsigned for_good = 0; for_good < 2; for_good++) {
    u64 all = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
      u64 refusals = 0;
      refuse_each(&operations[i], for_good, &refusals);
      all += refusals;
    }
    print_message("%s: %llu refusals handed on\n", for_good ? "for good" : "once", (unsigned long long)all);
    if (for_good) assert_true(all > 5);
  }
}

/* What a trim could not give back is asked for again by the next, and is no bytes until it is gone. */
static void refused_and_asked_for_again(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 0, .span_cache = GB};
  char *p = copse_span_alloc(9 * MB, 1, false);
  assert_non_null(p);
  mark(p, 9 * MB, 1);
  assert_true(copse_span_free(p));
  u64 gone = copse_vm_counters.decommitted;
  vm_faults_reset();
  vm_faults_fail_from(VM_MADVISE, 1);
  assert_int_equal(copse_span_trim(), 0);
  vm_faults_fail_none();
  assert_int_equal(copse_vm_counters.decommitted, gone);
  assert_true(copse_span_trim() >= 9 * MB);
  assert_true(copse_vm_counters.decommitted >= gone + 9 * MB);
  assert_int_equal(copse_span_trim(), 0);
  assert_true(span_idle());
}

/* ---- the lock ---- */

static u64 calls_seen, calls_locked;
static void look_at_lock(const struct vm_record *call) {
  (void)call;
  calls_seen++;
  if (pthread_mutex_trylock(&copse_span_lock.mutex)) calls_locked++;
  else pthread_mutex_unlock(&copse_span_lock.mutex);
}

static void no_call_under_the_lock(void **state) {
  (void)state;
  calls_seen = calls_locked = 0;
  vm_faults.hook = look_at_lock;
  for (unsigned i = 0; i < OPERATIONS; i++) {
    prepare(&operations[i]);
    char *had = subject;
    void *p = operations[i].run();
    if (!subject && !p) subject = had;
    clean_up(p);
  }
  vm_faults.hook = NULL;
  print_message("%llu system calls, %llu under the span lock\n", (unsigned long long)calls_seen,
                (unsigned long long)calls_locked);
  assert_true(calls_seen > 50);
  assert_int_equal(calls_locked, 0);
  assert_true(span_idle());
}

/* ---- fork ---- */

static char *bystander;
static u64 forks, fork_failures;

/* In a child that is forked in the middle of a call: all that was in flight is free, what is live is whole. */
static int child(void) {
  copse_lock_seize();
  copse_span_fork_child();
  copse_lock_yield();
  copse_lock_init(&copse_span_lock, RANK_SPAN);
  vm_faults_remove();
  CHECK(copse_span_valid());
  CHECK(copse_vm_counters.in_use == copse_span_counters.bytes + copse_span_counters.cached);
  CHECK(marked(bystander, 3 * MB, 5));
  /* Every free granule can be had, is accessible, and is zero where that is asked for. */
  for (unsigned i = 0; i < 30; i++) {
    u64 size = (1 + i % 7) * MB;
    char *p = copse_span_alloc(size, 1, true);
    CHECK(p && unmarked(p, size));
    mark(p, size, 1);
  }
  CHECK(marked(bystander, 3 * MB, 5));
  CHECK(copse_span_valid() && copse_span_free(bystander));
  return 0;
}

static void fork_here(const struct vm_record *call) {
  (void)call;
  forks++;
  pid_t pid = fork();
  if (pid == 0) {
    vm_faults.hook = NULL;
    _exit(child());
  }
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) fork_failures++;
}

static void fork_in_each_call(void **state) {
  (void)state;
  copse_tunables = (struct tunables){.huge = 0, .span_cache = 0};
  assert_non_null(bystander = copse_span_alloc(3 * MB, 1, false));
  mark(bystander, 3 * MB, 5);
  for (unsigned i = 0; i < OPERATIONS; i++) {
    prepare(&operations[i]);
    char *had = subject;
    vm_faults.hook = fork_here;
    void *p = operations[i].run();
    vm_faults.hook = NULL;
    if (fork_failures) print_message("%s\n", operations[i].name);
    assert_int_equal(fork_failures, 0);
    if (!subject && !p) subject = had;
    clean_up(p);
  }
  print_message("%llu forks in the middle of a call\n", (unsigned long long)forks);
  assert_true(forks > 30);
  assert_true(copse_span_free(bystander));
  assert_true(span_idle());
}

/* ---- the table ---- */

static int table_grows(void) {
  CHECK(span_begin((u64)1 << 44));
  if (copse_regions.bits < 36) return 0; /* not under tools that allow less */
  copse_tunables.huge = 0;
  char *near = copse_span_alloc(MB, 1, false);
  u64 spans = region_spans_size(), own = copse_region_own_bytes;
  /* 40 GB of address space, of which nothing is touched: beyond the first step of the table. */
  CHECK(!copse_span_size(near + 30 * GB) && !copse_span_free(near + 30 * GB) && !copse_span_size(near + spans - GRANULE));
  vm_faults_reset();
  vm_faults_fail_from(VM_MPROTECT, 1);
  CHECK(!copse_span_alloc(40 * GB, 1, false));
  vm_faults_fail_none();
  CHECK(copse_span_valid() && copse_region_own_bytes == own);
  char *far = copse_span_alloc(MB, 32 * GB, false), *farther = copse_span_alloc(MB, 64 * GB, false);
  CHECK(far && farther && (uptr)farther % (64 * GB) == 0);
  CHECK(copse_span_size(far) == MB && copse_span_size(farther) == MB && !copse_span_size(far + 2 * MB));
  CHECK(copse_region_own_bytes > own && copse_region_own_bytes - own < 2 * MB);
  fill(far, MB, 1);
  CHECK(filled(far, MB, 1) && copse_span_valid());
  CHECK(copse_span_free(far) && copse_span_free(farther) && copse_span_free(near) && span_idle());
  return 0;
}

static void table(void **state) {
  (void)state;
  assert_int_equal(in_child(table_grows), 0);
}

static int begin(void **state) {
  (void)state;
  if (!span_begin((u64)1 << 35)) return -1;
  others = copse_vm_counters.committed;
  return 0;
}

int main(void) {
  /* The table's test first, in a process that has not started spans. */
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(table),
    cmocka_unit_test_setup(every_call_refused, begin),
    cmocka_unit_test(refused_and_asked_for_again),
    cmocka_unit_test(no_call_under_the_lock),
    cmocka_unit_test(fork_in_each_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
