/* SPDX-License-Identifier: MIT */
/*
 * Preemption at any instruction: each thread has a timer, whose signal makes it yield its processor, or sleep a moment, wherever it is.
 * So what lies between a load and the compare-and-swap behind it lasts as long as many operations of the others.
 */
#include "state.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static uint64_t times;

static void yield(int signal_number) {
  (void)signal_number;
  int saved = errno;
  if (__atomic_fetch_add(&times, 1, __ATOMIC_RELAXED) % 4) sched_yield();
  else nanosleep(&(struct timespec){0, 30000}, NULL);
  errno = saved;
}

bool preempt_begin(struct hand *hand, timer_t *timer) {
  struct sigaction action = {.sa_handler = yield, .sa_flags = SA_RESTART};
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
  long every = 40000 + (long)random_below(&hand->random, 160000);
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
  require(sigaction(SIGUSR2, &action, NULL) == 0);
  /* Refused where the system has no more of them: then this thread goes without. */
  if (timer_create(CLOCK_MONOTONIC, &event, timer) != 0) return false;
  require(timer_settime(*timer, 0, &(struct itimerspec){{0, every}, {0, every}}, NULL) == 0);
  return true;
}

void preempt_end(timer_t timer) { timer_delete(timer); }

void preempt_count(void) {
  if (times) stress_add("times that a thread was preempted by a signal", __atomic_exchange_n(&times, 0, __ATOMIC_RELAXED));
}
