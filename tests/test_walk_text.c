/* SPDX-License-Identifier: MIT */
/* What copse_heap_write writes is what copse_heap_walk finds, whatever the file does; it changes nothing, on a bounded stack. */
#include "walk_help.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

struct read_back {
  uint64_t blocks, spans, free[COPSE_CLASSES], bare[COPSE_CLASSES];
  bool ended;
};

static void read_line(struct read_back *r, const char *line) {
  unsigned class, arena, slots;
  unsigned long address, size, free, bare;
  CHECK(!r->ended);
  if (sscanf(line, "block %x %x %lx %lx %x %lx %lx", &class, &arena, &address, &size, &slots, &free, &bare) == 7) {
    CHECK(class < COPSE_CLASSES && size == class_size(class) && region_of((void *)address) == region_at(arena, class));
    r->blocks++;
    r->free[class] += count_bits(free);
    r->bare[class] += count_bits(bare);
  } else if (sscanf(line, "span %lx %lx %lx", &address, &size, &free) == 3) {
    r->spans += !free;
  } else {
    CHECK(sscanf(line, "end %lx %lx", &size, &free) == 2 && size == r->blocks);
    r->ended = true;
  }
}

static void same_as_text(const char *text) {
  static struct read_back r;
  memset(&r, 0, sizeof r);
  char head[64];
  int length = snprintf(head, sizeof head, "copse-heap 1 %lx\n", (unsigned long)sysconf(_SC_PAGESIZE));
  CHECK(!strncmp(text, head, (size_t)length));
  for (text += length; *text; text = strchr(text, '\n') + 1) read_line(&r, text);
  struct sums s = equal_statistics();
  CHECK(r.ended && r.spans == s.spans);
  uint64_t blocks = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    CHECK(r.free[class] == s.free[class] && r.bare[class] == s.bare[class]);
    blocks += s.blocks[class];
  }
  CHECK(r.blocks == blocks);
}

enum { TEXT_MOST = 4 << 20 };
static char whole[TEXT_MOST];

FRESH(what_is_written_is_what_is_there) {
  loads[0].seed = 3;
  fill(&loads[0]);
  void *span = copse_alloc((size_t)5 << 20);
  thin(&loads[0]);
  copse_trim();
  static struct copse_stats before, after;
  int fd = memfd_create("walk", 0);
  CHECK(fd >= 0);
  copse_stats(&before);
  errno = 4711;
  CHECK(copse_heap_write(fd) == 0 && errno == 4711);
  copse_stats(&after);
  CHECK(memcmp(&before, &after, sizeof before) == 0);
  ssize_t n = pread(fd, whole, sizeof whole - 1, 0);
  CHECK(n > 10000);
  same_as_text(whole);
  copse_free(span, (size_t)5 << 20);
}

static void read_slowly(void *argument) {
  ssize_t n;
  char *at = whole;
  while ((n = read(*(int *)argument, at, 1 + (size_t)(at - whole) % 700)) > 0) {
    at += n;
    usleep(200);
  }
  CHECK(n == 0);
}
static volatile sig_atomic_t ticks;
static void tick(int signal) {
  (void)signal;
  ticks++;
}

/* In place of the C library's: a write to a pipe of up to a page is never a short one by itself. */
static size_t write_most;
ssize_t write(int fd, const void *bytes, size_t n) {
  return syscall(SYS_write, fd, bytes, write_most && n > write_most ? write_most : n);
}

FRESH(short_writes_and_signals) {
  write_most = 1000;
  int ends[2];
  struct worker w;
  sigset_t alarms;
  loads[0].seed = 4;
  fill(&loads[0]);
  CHECK(pipe(ends) == 0);
  fcntl(ends[1], F_SETPIPE_SZ, 4096);
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarms, NULL);
  worker_start(&w);
  worker_begin(&w, read_slowly, &ends[0]);
  pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
  CHECK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick}, NULL) == 0);
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 300}, {0, 300}}, NULL) == 0);
  CHECK(copse_heap_write(ends[1]) == 0);
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL) == 0);
  close(ends[1]);
  worker_wait(&w);
  worker_end(&w);
  figure("signals", "%d", (int)ticks);
  CHECK(ticks > 0);
  same_as_text(whole);
}

FRESH(a_file_that_takes_none_of_it) {
  loads[0].seed = 5;
  fill(&loads[0]);
  int full = open("/dev/full", O_WRONLY), shut = dup(1), ends[2];
  CHECK(full >= 0 && shut >= 0 && close(shut) == 0 && pipe(ends) == 0);
  errno = 0;
  CHECK(copse_heap_write(full) == -1 && errno == ENOSPC);
  CHECK(copse_heap_write(shut) == -1 && errno == EBADF);
  CHECK(copse_heap_write(-1) == -1 && errno == EBADF);
  CHECK(copse_heap_write(ends[0]) == -1 && errno == EBADF);
  /* A pipe that nobody empties takes some of it. */
  CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  fcntl(ends[1], F_SETPIPE_SZ, 4096);
  CHECK(copse_heap_write(ends[1]) == -1 && errno == EAGAIN);
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);
  CHECK(copse_heap_write(ends[1]) == -1 && errno == EPIPE);
  equal_statistics();
}

/* What was written before another thread brings copse up is ordered with nothing that this one does: a tool that looks for races sees it. */
static bool written;
static void *write_first(void *argument) {
  CHECK(copse_heap_write(*(int *)argument) == 0);
  __atomic_store_n(&written, true, __ATOMIC_RELAXED);
  return NULL;
}

FRESH(written_before_another_thread_brings_copse_up) {
  pthread_t thread;
  int fd = open("/dev/null", O_WRONLY);
  CHECK(fd >= 0 && pthread_create(&thread, NULL, write_first, &fd) == 0);
  while (!__atomic_load_n(&written, __ATOMIC_RELAXED)) sched_yield();
  void *p = copse_alloc(100);
  CHECK(p && pthread_join(thread, NULL) == 0);
  copse_free(p, 100);
}

/* ---- how much stack it takes ---- */

enum { STACK = 256 << 10 };
static _Alignas(4096) unsigned char stack[STACK];

static void *only_return(void *argument) { return argument; }
static int go_on(const struct copse_block *blocks, size_t n, void *context) { return (void)blocks, (void)n, (void)context, 0; }
static void *only_walk(void *argument) { return CHECK(copse_heap_walk(go_on, argument) == 0), argument; }
static void *only_write(void *argument) { return CHECK(copse_heap_write(*(int *)argument) == 0), argument; }

static size_t stack_of(void *(*body)(void *), void *argument) {
  pthread_attr_t attributes;
  pthread_t thread;
  memset(stack, 0x5A, sizeof stack);
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, sizeof stack) == 0);
  CHECK(pthread_create(&thread, &attributes, body, argument) == 0 && pthread_join(thread, NULL) == 0);
  size_t untouched = 0;
  while (untouched < sizeof stack && stack[untouched] == 0x5A) untouched++;
  return sizeof stack - untouched;
}

FRESH(its_stack_is_bounded) {
  if (UNDER_SANITIZER) {
    left_out("a tool makes frames larger");
    return;
  }
  loads[0].seed = 6;
  fill(&loads[0]);
  int fd = open("/dev/null", O_WRONLY);
  CHECK(copse_heap_write(fd) == 0); /* all symbols are bound */
  size_t idle = stack_of(only_return, NULL), walk = stack_of(only_walk, NULL), text = stack_of(only_write, &fd);
  figure("stack", "walk %zu, write %zu bytes", walk - idle, text - idle);
  CHECK(walk - idle < 4096 && text - idle < 8192);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_written_is_what_is_there),
    cmocka_unit_test(short_writes_and_signals),
    cmocka_unit_test(a_file_that_takes_none_of_it),
    cmocka_unit_test(written_before_another_thread_brings_copse_up),
    cmocka_unit_test(its_stack_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
