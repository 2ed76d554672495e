/* SPDX-License-Identifier: MIT */
/*
 * Threads that come and go, and processes that fork.  A thread is created, does a part of the input, and exits; what it had cached
 * is to be found again.  A destructor of its own frees, of every other thread after copse's has run.  A child of fork, which finds the caches of
 * threads that it does not have, verifies and frees all that is live, and goes on allocating.
 * One thread works at a time.
 */
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "crew.h"
#include "expect.h"
#include "setup.h"
#include "target.h"
#include "vm_faults.h"
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWN = API_KINDS, FORK, PARKED, BALANCE, KINDS };
enum { SPAWNS_MOST = 12, FORKS_MOST = 2, CHILD_SECONDS = 60 };

static struct model model;
static pthread_key_t key;

/*
 * The end of a thread: frees what it was left, in whatever state copse's part of the thread is.  This key is older than copse's, so that
 * its destructor comes first; put off once, it comes after.
 */
static __thread bool put_off;
static void destroy(void *p) {
  if (put_off) {
    put_off = false;
    expect(pthread_setspecific(key, p) == 0);
    return;
  }
  copse_free_unsized(p);
  p = copse_alloc(1000);
  if (p) copse_free(p, 1000);
}

static void work(struct ops *ops) {
  struct op op;
  while (op_next(ops, &op))
    /* Not what asks about caches: those of other threads are full. */
    if (op.kind % API_KINDS != API_COOLDOWN) api_do(&model, &op, op.kind % API_KINDS);
}

struct life {
  struct ops ops;
  bool late;
};

static void *live_and_die(void *argument) {
  struct life *life = argument;
  put_off = life->late;
  pthread_setspecific(key, copse_alloc(100));
  work(&life->ops);
  return NULL;
}

/* The next few records are a thread's. */
static void spawn(struct ops *ops, const struct op *op) {
  struct life life = {*ops, op->more >> 4 & 1};
  pthread_t thread;
  if (life.ops.left > op->more % 16u) life.ops.left = op->more % 16u;
  ops->at += life.ops.left * OP_BYTES;
  ops->left -= life.ops.left;
  if (pthread_create(&thread, NULL, live_and_die, &life) == 0) pthread_join(thread, NULL);
}

static void parked(void *argument) { work(argument); }

static int child(struct ops *ops) {
  const struct model *seen[] = {&model};
  struct model *models[] = {&model};
  model_check(&model);
  balance_check(seen, 1, false);
  work(ops);
  model_check(&model);
  balance_check(seen, 1, false);
  balance_end(models, 1);
  return 0;
}

/* The next few records are done by a child of the calling thread, and once more here. */
static void fork_once(void *argument) {
  struct ops *ops = argument;
  pid_t pid = fork();
  expect(pid >= 0);
  if (pid == 0) _exit(child(ops));
  int status;
  pid_t ended;
  /* The engine has a timer. */
  do ended = waitpid(pid, &status, 0);
  while (ended < 0 && errno == EINTR);
  expect(ended == pid);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void flush(void *argument) {
  (void)argument;
  copse_thread_flush();
}

/* A child that waits for ever would outlive the engine.  Before copse's own handler, which may be where it waits. */
static void end_in_time(void) { alarm(CHILD_SECONDS); }

static void start(void) {
  if (!setup_reserve((uint64_t)1 << 36, 4)) return;
  /* No explicit huge pages, however many are set aside: the kernel ends a child that writes to one and has none left to copy it to. */
  vm_faults_install();
  vm_faults.huge_1g = vm_faults.huge_2m = 0;
  expect(pthread_key_create(&key, destroy) == 0 && pthread_atfork(NULL, NULL, end_in_time) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  struct model *models[] = {&model};
  const struct model *const *seen = (const struct model *const *)models;
  unsigned spawns = 0, forks = 0;
  start();
  model_clear(&model, 1);
  while (op_next(&ops, &op)) {
    struct ops one = {ops.at - OP_BYTES, 1};
    switch (op.kind % KINDS) {
    case SPAWN:
      if (spawns++ < SPAWNS_MOST) spawn(&ops, &op);
      break;
    case FORK:
      if (forks++ >= FORKS_MOST) break;
      one = ops;
      if (one.left > op.more % 8u) one.left = op.more % 8u;
      /* Of a thread that stays, or of this one. */
      if (op.more & 8) crew_do(op_thread(&op, CREW), fork_once, &one);
      else fork_once(&one);
      break;
    case PARKED:
      /* The next record is done by a thread that stays, and keeps what it has cached. */
      if (!ops.left) break;
      one = (struct ops){ops.at, 1};
      crew_do(op_thread(&op, CREW), parked, &one);
      op_next(&ops, &op);
      break;
    case BALANCE: balance_check(seen, 1, false); break;
    default:
      if (op.kind % KINDS != API_COOLDOWN) api_do(&model, &op, op.kind % KINDS);
    }
  }
  model_check(&model);
  for (unsigned i = 0; i < CREW; i++) crew_do(i, flush, NULL);
  balance_end(models, 1);
  return 0;
}
