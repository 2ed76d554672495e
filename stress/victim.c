/* SPDX-License-Identifier: MIT */
#include "victim.h"
#include "span.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

hidden extern struct lock copse_start_lock;

/* ---- locks ---- */

void held_lock_words(struct lock_words *words, unsigned arenas) {
  words->n = 0;
  for (unsigned i = 0; i < arenas * CLASSES; i++)
    words->word[words->n++] = &copse_pools[region_at(i / CLASSES, i % CLASSES)].lock.mutex.__data.__lock;
  words->pools = words->n;
  words->word[words->n++] = &copse_span_lock.mutex.__data.__lock;
  words->word[words->n++] = &copse_start_lock.mutex.__data.__lock;
}

struct locks_taken held_locks(const struct lock_words *words) {
  struct locks_taken taken = {0, 0, 0};
  for (unsigned i = 0; i < words->pools; i++) taken.pools += __atomic_load_n(words->word[i], __ATOMIC_RELAXED) != 0;
  taken.spans = __atomic_load_n(words->word[words->pools], __ATOMIC_RELAXED) != 0;
  taken.start = __atomic_load_n(words->word[words->pools + 1], __ATOMIC_RELAXED) != 0;
  return taken;
}

/* ---- episodes ---- */

static long futex(uint32_t *word, int what, uint32_t value, const struct timespec *most) {
  return syscall(SYS_futex, word, what, value, most, NULL, 0);
}

struct held_shared *held_share(void) {
  struct held_shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(s != MAP_FAILED);
  return s;
}

static void episode(struct hand *hand, unsigned n, unsigned leave_out) {
  enum { SOME = 40, LARGE = 3, RESERVED = 21000 };
  static _Thread_local struct object kept[SOME], reserved[RESERVED];
  static _Thread_local unsigned reserved_count;
  static const size_t sizes[] = {48, 1000, 5000, 100000};
  size_t size = sizes[n % 4];
  struct object o[SOME], large[LARGE];
  if (leave_out & EPISODE_MOST) {
    for (unsigned i = 0; i < LARGE; i++) object_make(hand, size, &o[i]);
    for (unsigned i = 0; i < LARGE; i++) object_free(hand, &o[i]);
    return;
  }
  /* More than a bundle, so that there is a refill and a spill; what was kept from before comes from other places. */
  for (unsigned i = 0; i < SOME; i++) object_make(hand, size, &o[i]);
  for (unsigned i = 0; i < SOME; i++) object_free(hand, &kept[i]);
  /* A pool has to grow, by a system call. */
  if (reserved_count + LARGE > RESERVED && !(leave_out & EPISODE_SPANS)) {
    while (reserved_count) object_free(hand, &reserved[--reserved_count]);
    /* Over a gigabyte: or the victim had it to give back, one instruction at a time.  Twice, for a cooldown of one. */
    for (unsigned i = 0; i < 2; i++) copse_trim();
  }
  for (unsigned i = 0; i < LARGE && reserved_count < RESERVED; i++)
    reserved_count += object_reserve(hand, 80000, &reserved[reserved_count]);
  for (unsigned i = 0; i < LARGE; i++) object_make(hand, 20000 + 1000 * (n % 64), &large[i]);
  for (unsigned i = 0; i < LARGE; i++) object_free(hand, &large[i]);
  for (unsigned i = 0; i < SOME; i++) kept[i] = o[i];
  if (n % 8 == hand->number) {
    for (unsigned i = 0; i < SOME; i++) object_free(hand, &kept[i]);
    copse_thread_flush();
  }
  if (leave_out & EPISODE_SPANS) return;
  struct object span;
  object_reserve(hand, (size_t)3 << 20, &span);
  object_free(hand, &span);
  /* Seldom: after each the victim flushes all that it has. */
  if (n % 256 == hand->number) copse_trim();
}

void held_worker(struct hand *hand) {
  struct held_shared *s = hand->shared;
  uint32_t seen = 0;
  for (;;) {
    while (__atomic_load_n(&s->episode, __ATOMIC_ACQUIRE) == seen) futex(&s->episode, FUTEX_WAIT, seen, NULL);
    seen++;
    if (__atomic_load_n(&s->ending, __ATOMIC_RELAXED)) return;
    episode(hand, seen, __atomic_load_n(&s->leave_out, __ATOMIC_RELAXED));
    __atomic_fetch_add(&s->objects, 43, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->done, 1, __ATOMIC_RELEASE);
    futex(&s->done, FUTEX_WAKE, 1, NULL);
  }
}

bool held_episode(struct held_shared *s, unsigned leave_out, unsigned seconds) {
  struct timespec now, end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += seconds;
  uint32_t before = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);
  __atomic_store_n(&s->leave_out, leave_out, __ATOMIC_RELAXED);
  __atomic_fetch_add(&s->episode, 1, __ATOMIC_RELEASE);
  futex(&s->episode, FUTEX_WAKE, HELD_WORKERS, NULL);
  for (;;) {
    uint32_t done = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);
    /* More, where another process's episode has begun before this thread came to look. */
    if (done - before >= HELD_WORKERS) return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec)) return false;
    futex(&s->done, FUTEX_WAIT, done, &(struct timespec){0, 100000000});
  }
}

void held_end(struct held_shared *s) {
  __atomic_store_n(&s->ending, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&s->episode, 1, __ATOMIC_RELEASE);
  futex(&s->episode, FUTEX_WAKE, HELD_WORKERS, NULL);
}

/* ---- the victim ---- */

void held_paths(struct hand *hand, unsigned turn) {
  enum { SOME = 200 };
  static const size_t sizes[] = {48, 1000, 5000, 100000};
  static struct object o[SOME];
  size_t size = sizes[turn % 4];
  unsigned n = size < 4096 ? SOME : size < 65536 ? 40 : 10;
  /* Refill, growth; spill, exchange; and the other way round, from the recycler. */
  for (unsigned k = 0; k < 2; k++) {
    for (unsigned i = 0; i < n; i++) object_make(hand, size, &o[i]);
    for (unsigned i = 0; i < n; i++) object_free(hand, &o[i]);
  }
  copse_thread_flush();
  /* Zeroed memory, from the pool itself. */
  void *zero = copse_alloc_zeroed(40000);
  require(zero);
  copse_free(zero, 40000);
  struct object span;
  require(object_make(hand, (size_t)2 << 20, &span) && object_resize(hand, &span, (size_t)5 << 20));
  object_free(hand, &span);
  copse_trim();
  copse_checkpoint();
}
