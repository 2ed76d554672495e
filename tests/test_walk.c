/* SPDX-License-Identifier: MIT */
/* What copse_heap_walk and copse_heap_write find: the sums of copse_stats, each object once, and nothing changed by looking. */
#include "balance.h"
#include "random.h"
#include "vm_faults.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

enum { OBJECTS = 6000 };

/* ---- a visitor that adds up, and holds each block to its promises ---- */

struct sums {
  uint64_t calls, blocks[COPSE_CLASSES], free[COPSE_CLASSES], bare[COPSE_CLASSES], slots[COPSE_CLASSES];
  uint64_t spans, span_bytes, span_cached;
  uint64_t order; /* arena, then class; spans are beyond all */
  const char *end;
  const void *wanted; /* an address */
  unsigned seen, live; /* how often it was in a block; in a slot that is not free */
};

static void look_for(struct sums *s, const struct copse_block *b) {
  uintptr_t offset = (uintptr_t)s->wanted - (uintptr_t)b->address;
  if ((uintptr_t)s->wanted < (uintptr_t)b->address || offset >= b->slots * b->size) return;
  s->seen++;
  s->live += !(b->free >> offset / b->size & 1);
}

static int add(const struct copse_block *blocks, size_t n, void *context) {
  struct sums *s = context;
  s->calls++;
  CHECK(n >= 1 && n <= 64);
  for (const struct copse_block *b = blocks; b < blocks + n; b++) {
    bool span = b->size_class == COPSE_CLASSES;
    uint64_t order = span ? 1000000 : (uint64_t)b->arena * 1000 + b->size_class;
    CHECK(order >= s->order && (order > s->order || (const char *)b->address >= s->end));
    CHECK(b == blocks || order == s->order);
    s->order = order;
    s->end = (const char *)b->address + b->size * b->slots;
    CHECK(b->slots >= 1 && b->slots <= 64 && !(b->free & ~low_bits(b->slots)) && !(b->bare & ~b->free));
    look_for(s, b);
    if (span) {
      CHECK(b->slots == 1 && !b->bare && !b->arena && region_of(b->address) >= region_spans());
      if (b->free) s->span_cached += b->size;
      else s->spans++, s->span_bytes += b->size;
      continue;
    }
    CHECK(region_of(b->address) == region_at(b->arena, b->size_class) && b->size == class_size(b->size_class));
    s->blocks[b->size_class]++;
    s->slots[b->size_class] += b->slots;
    s->free[b->size_class] += count_bits(b->free);
    s->bare[b->size_class] += count_bits(b->bare);
  }
  return 0;
}

static struct sums walk_for(const void *wanted) {
  struct sums s = {.wanted = wanted};
  CHECK(copse_heap_walk(add, &s) == 0);
  return s;
}

/* Other threads are at rest. */
static struct sums equal_statistics(void) {
  static struct copse_stats stats;
  static uint64_t frontier[COPSE_CLASSES];
  struct sums s = walk_for(NULL);
  copse_stats(&stats);
  memset(frontier, 0, sizeof frontier);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) frontier[p->class] += p->frontier;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    const struct copse_class_stats *c = &stats.classes[class];
    CHECK(s.blocks[class] == c->blocks && s.free[class] == c->free && s.bare[class] == c->bare);
    CHECK(s.slots[class] == frontier[class]);
  }
  CHECK(s.spans == stats.spans && s.span_bytes == stats.span_bytes && s.span_cached == stats.span_cached);
  return s;
}

/* ---- a load: objects of all classes ---- */

struct load {
  uint64_t seed;
  void *p[OBJECTS];
  size_t size[OBJECTS];
};

static void fill(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++) {
    l->size[i] = 1 + random_below(&l->seed, (size_t)16 << random_below(&l->seed, i % 16 ? 9 : 17));
    CHECK((l->p[i] = copse_alloc(l->size[i])));
  }
}
static void drain(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++)
    if (l->p[i]) copse_free(l->p[i], l->size[i]), l->p[i] = NULL;
}
static void thin(void *argument) {
  struct load *l = argument;
  for (unsigned i = 0; i < LESS(OBJECTS); i++)
    if (i / 100 % 3) copse_free(l->p[i], l->size[i]), l->p[i] = NULL;
  copse_thread_flush();
}
static struct load loads[3];

FRESH(nothing_before_the_first_allocation) {
  struct sums s = walk_for(NULL);
  CHECK(s.calls == 0 && copse_regions.base == NULL);
  int fd = memfd_create("walk", 0);
  char text[64] = "", wanted[64];
  snprintf(wanted, sizeof wanted, "copse-heap 1 %lx\nend 0 0\n", (unsigned long)sysconf(_SC_PAGESIZE));
  CHECK(fd >= 0 && copse_heap_write(fd) == 0 && pread(fd, text, sizeof text - 1, 0) > 0 && !strcmp(text, wanted));
  CHECK(copse_regions.base == NULL);
}

FRESH(sums_are_the_statistics) {
  struct worker w[2];
  CHECK(copse_tune_set("arenas", ARENAS_MOST) == 0);
  for (unsigned i = 0; i < 3; i++) loads[i].seed = i + 1;
  fill(&loads[2]);
  equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_start(&w[i]), worker_do(&w[i], fill, &loads[i]);
  figure("arenas", "%u", copse_pools_arenas());
  CHECK(copse_pools_arenas() == min_u64(3, ARENAS_MOST));
  struct sums full = equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_do(&w[i], thin, &loads[i]);
  equal_statistics();
  copse_trim();
  struct sums trimmed = equal_statistics();
  uint64_t bare = 0;
  for (unsigned class = 0; class < COPSE_CLASSES; class++) {
    CHECK(trimmed.blocks[class] == full.blocks[class]);
    bare += trimmed.bare[class];
  }
  CHECK(bare > 0 && full.calls > 20);
  /* Each object once, in a slot that is not free; and what was freed is, once it has gone home. */
  for (unsigned i = 0; i < LESS(OBJECTS); i += 37) {
    struct sums s = walk_for(loads[2].p[i]);
    CHECK(s.seen == 1 && s.live == 1);
  }
  void *gone = loads[2].p[0];
  for (unsigned i = 0; i < 3; i++) drain(&loads[i]);
  copse_trim();
  struct sums s = walk_for(gone);
  CHECK(s.seen == 1 && s.live == 0);
  equal_statistics();
  for (unsigned i = 0; i < 2; i++) worker_end(&w[i]);
  balance_empty();
}

FRESH(spans_are_blocks_of_one_slot) {
  enum { SPANS = 70 };
  static char *span[SPANS];
  size_t length = (size_t)3 << 20, large = (size_t)3 << 30;
  for (unsigned i = 0; i < SPANS; i++) CHECK((span[i] = copse_alloc(length)));
  struct sums s = equal_statistics();
  CHECK(s.spans == SPANS && s.span_cached == 0);
  s = walk_for(span[SPANS / 2] + 1000000);
  CHECK(s.seen == 1 && s.live == 1);
  for (unsigned i = 0; i < SPANS; i += 2) copse_free(span[i], length);
  equal_statistics();
  copse_thread_flush();
  /* One that is longer than what a single hold of the lock looks at, where there is room for it. */
  char *wide = copse_alloc(large), *behind = copse_alloc(length);
  s = equal_statistics();
  s = walk_for(behind);
  CHECK(s.seen == 1 && s.live == 1);
  if (wide) {
    s = walk_for(wide + large - 1);
    CHECK(s.seen == 1 && s.live == 1);
    copse_free(wide, large);
  } else {
    left_out("no room for a span of 3 GB");
  }
  copse_free(behind, length);
  for (unsigned i = 1; i < SPANS; i += 2) copse_free(span[i], length);
  copse_trim();
  s = equal_statistics();
  CHECK(s.spans == 0 && s.span_cached == 0);
}

/* ---- visitors that do other things ---- */

static int stop_at_third(const struct copse_block *blocks, size_t n, void *context) {
  (void)blocks, (void)n;
  return ++*(int *)context == 3 ? 4711 : 0;
}

FRESH(a_visitor_ends_the_walk) {
  loads[0].seed = 1;
  fill(&loads[0]);
  int calls = 0;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 4711 && calls == 3);
  calls = 100;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 0 && calls > 103);
  drain(&loads[0]);
  /* At a span too, the last of all. */
  void *span = copse_alloc((size_t)5 << 20);
  struct sums s = walk_for(NULL);
  calls = 3 - (int)s.calls;
  CHECK(copse_heap_walk(stop_at_third, &calls) == 4711);
  copse_free(span, (size_t)5 << 20);
}

/* Of the class that it is called with, so that the pool's lock would be taken twice. */
static int allocate(const struct copse_block *blocks, size_t n, void *context) {
  void *p[100];
  size_t size = blocks[0].size > 64 ? blocks[0].size - 16 : blocks[0].size;
  if (size > ((size_t)1 << 20)) size = (size_t)2 << 20;
  unsigned objects = size < ((size_t)1 << 16) ? 100 : 5;
  for (unsigned i = 0; i < objects; i++) CHECK((p[i] = copse_alloc(size)));
  for (unsigned i = 0; i < objects; i++) copse_free(p[i], size);
  copse_thread_flush();
  *(uint64_t *)context += n;
  return 0;
}

FRESH(a_visitor_may_allocate) {
  uint64_t found = 0;
  loads[0].seed = 2;
  fill(&loads[0]);
  void *span = copse_alloc((size_t)5 << 20);
  CHECK(copse_heap_walk(allocate, &found) == 0 && found > 60);
  struct sums s = equal_statistics();
  CHECK(s.spans >= 1); /* or more: those in the quarantine */
  copse_free(span, (size_t)5 << 20);
  drain(&loads[0]);
  balance_empty();
}

static int stop_churning; /* by atomic accesses */

static void churn(void *argument) {
  struct load *l = argument;
  size_t large = (size_t)5 << 20;
  while (!__atomic_load_n(&stop_churning, __ATOMIC_ACQUIRE)) {
    fill(l);
    void *span = copse_alloc(large);
    drain(l);
    copse_trim();
    if (span) copse_free(span, large);
  }
}

FRESH(another_thread_works_meanwhile) {
  struct worker w[2];
  void *mine = copse_alloc(48), *span = copse_alloc((size_t)7 << 20);
  for (unsigned i = 0; i < 2; i++) {
    loads[i].seed = i + 5;
    worker_start(&w[i]);
    worker_begin(&w[i], churn, &loads[i]);
  }
  for (unsigned i = 0; i < LESS(300); i++) {
    struct sums s = walk_for(i & 1 ? mine : span);
    CHECK(s.seen == 1 && s.live == 1);
  }
  __atomic_store_n(&stop_churning, 1, __ATOMIC_RELEASE);
  for (unsigned i = 0; i < 2; i++) worker_wait(&w[i]), worker_end(&w[i]);
  equal_statistics();
  copse_free(mine, 48);
  copse_free(span, (size_t)7 << 20);
}

FRESH(a_forked_child_sees_the_same) {
  loads[0].seed = 9;
  fill(&loads[0]);
  struct sums here = equal_statistics();
  pid_t pid = fork();
  if (pid == 0) {
    struct sums there = equal_statistics();
    CHECK(memcmp(there.blocks, here.blocks, sizeof here.blocks) == 0);
    _exit(0);
  }
  int status = -1;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* ---- as text ---- */

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

FRESH(short_writes_and_signals) {
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
    cmocka_unit_test(nothing_before_the_first_allocation),
    cmocka_unit_test(sums_are_the_statistics),
    cmocka_unit_test(spans_are_blocks_of_one_slot),
    cmocka_unit_test(a_visitor_ends_the_walk),
    cmocka_unit_test(a_visitor_may_allocate),
    cmocka_unit_test(another_thread_works_meanwhile),
    cmocka_unit_test(a_forked_child_sees_the_same),
    cmocka_unit_test(what_is_written_is_what_is_there),
    cmocka_unit_test(short_writes_and_signals),
    cmocka_unit_test(a_file_that_takes_none_of_it),
    cmocka_unit_test(its_stack_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
