/* SPDX-License-Identifier: MIT */
#include "tracer.h"
#include "state.h"
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* In shared memory: the victim says who it is, and waits until it is traced. */
struct tracer_handshake {
  uint32_t victim, traced;
};

static struct held_shared *shared;
static struct tracer_handshake *handshake;
static void (*victim_paths)(struct hand *hand);

static void wait_for(const uint32_t *word) {
  /* Bounded by the round's alarm. */
  while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) usleep(100);
}

static void work(struct hand *hand) {
  if (hand->number <= HELD_WORKERS) {
    held_worker(hand);
    return;
  }
  /* The workers have their records: the victim's is a new one. */
  while (__atomic_load_n(&shared->done, __ATOMIC_ACQUIRE) < HELD_WORKERS) usleep(100);
  __atomic_store_n(&handshake->victim, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
  wait_for(&handshake->traced);
  victim_paths(hand);
}

static _Noreturn void traced_process(void (*setup)(void)) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setup();
  copse_free(copse_alloc(1), 1);
  crew_start(HELD_WORKERS + 1, work, shared);
  require(held_episode(shared, 0, stress_limit()));
  crew_join();
  stress_balance(0);
  hands_count();
  _exit(0);
}

static bool stopped(struct tracer *t) {
  int status;
  pid_t ended;
  do ended = waitpid(t->victim, &status, __WALL);
  while (ended < 0 && errno == EINTR);
  require(ended == t->victim);
  if (!WIFSTOPPED(status)) return false;
  return true;
}

/*
 * The locks of pools are looked at after each instruction: so that this costs no system call for each, the whole pages of the array
 * that they stand in become memory that is shared with the traced process.
 */
static const int *near[CLASS_REGIONS]; /* lock words that are in there */
static struct iovec far[CLASS_REGIONS + 2];
static unsigned near_words, far_words;
static void share_pools(const struct lock_words *words) {
  uptr page = (uptr)sysconf(_SC_PAGESIZE), from = round_up((uptr)copse_pools, page);
  uptr to = round_down((uptr)copse_pools + sizeof copse_pools, page);
  require(mmap((void *)from, to - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)from);
  near_words = far_words = 0;
  for (unsigned i = 0; i < words->n; i++) {
    uptr at = (uptr)words->word[i];
    if (at >= from && at < to) near[near_words++] = words->word[i];
    else far[far_words++] = (struct iovec){(void *)at, sizeof(int)};
  }
}

void tracer_start(struct tracer *t, unsigned arenas, void (*setup)(void), void (*paths)(struct hand *hand)) {
  require(!copse_regions.base); /* copse has not started: all of it is zero */
  held_lock_words(&t->words, arenas);
  share_pools(&t->words);
  t->shared = shared = held_share();
  t->handshake = handshake = mmap(NULL, sizeof *handshake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(handshake != MAP_FAILED);
  victim_paths = paths;
  t->process = fork();
  require(t->process >= 0);
  if (t->process == 0) {
    alarm(2 * stress_limit());
    traced_process(setup);
  }
  wait_for(&handshake->victim);
  t->victim = (pid_t)handshake->victim;
  if (ptrace(PTRACE_SEIZE, t->victim, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, t->victim, NULL, NULL) != 0) {
    kill(t->process, SIGKILL);
    stress_skip_all("this process may not trace another");
  }
  require(stopped(t));
  __atomic_store_n(&handshake->traced, 1, __ATOMIC_RELEASE);
}

uintptr_t tracer_at(const struct tracer *t) {
  struct user_regs_struct registers;
  struct iovec vector = {&registers, sizeof registers};
  require(ptrace(PTRACE_GETREGSET, t->victim, (void *)NT_PRSTATUS, &vector) == 0);
#if defined(__x86_64__)
  return registers.rip;
#else
  return registers.pc;
#endif
}

static void read_there(const struct tracer *t, void *to, const struct iovec *from, unsigned n, size_t bytes) {
  struct iovec local = {to, bytes};
  require(process_vm_readv(t->process, &local, 1, from, n, 0) == (ssize_t)bytes);
}

bool tracer_at_call(const struct tracer *t) {
#if defined(__x86_64__)
  static const unsigned char call[] = {0x0F, 0x05};
#else
  static const unsigned char call[] = {0x01, 0x00, 0x00, 0xD4};
#endif
  unsigned char there[sizeof call];
  read_there(t, there, &(struct iovec){(void *)tracer_at(t), sizeof there}, 1, sizeof there);
  return memcmp(there, call, sizeof call) == 0;
}

unsigned tracer_pools_locked(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < near_words; i++) n += __atomic_load_n(near[i], __ATOMIC_RELAXED) != 0;
  return n;
}

struct locks_taken tracer_locks(const struct tracer *t) {
  int there[CLASS_REGIONS + 2];
  struct locks_taken locks = {tracer_pools_locked(), 0, 0};
  read_there(t, there, far, far_words, far_words * sizeof(int));
  for (unsigned i = 0; i < far_words; i++) {
    const int *word = far[i].iov_base;
    if (word == t->words.word[t->words.pools]) locks.spans = there[i] != 0;
    else if (word == t->words.word[t->words.pools + 1]) locks.start = there[i] != 0;
    else locks.pools += there[i] != 0;
  }
  return locks;
}

bool tracer_step(struct tracer *t) {
  require(ptrace(PTRACE_SINGLESTEP, t->victim, NULL, NULL) == 0);
  return stopped(t);
}

bool tracer_run(struct tracer *t, unsigned microseconds) {
  require(ptrace(PTRACE_CONT, t->victim, NULL, NULL) == 0);
  usleep(microseconds);
  if (ptrace(PTRACE_INTERRUPT, t->victim, NULL, NULL) != 0) require(errno == ESRCH);
  return stopped(t);
}

void tracer_end(struct tracer *t) {
  int status;
  pid_t ended;
  held_end(t->shared);
  do ended = waitpid(t->process, &status, __WALL);
  while (ended < 0 && errno == EINTR);
  require(ended == t->process && status == 0);
}
