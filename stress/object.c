/* SPDX-License-Identifier: MIT */
/* Threads of a scenario, and what they hold: filled when it is made, looked at before it is freed, and counted by its address. */
#include "state.h"
#include "region.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

struct hand stress_hands[HANDS];

/* ---- contents ---- */

/* Where the next byte is that is written and looked at: all of a small object, of a larger one both ends and some of each page. */
static size_t next_byte(size_t at, size_t size) {
  at++;
  if (size <= 512 || at < 64 || at >= size - 64) return at;
  size_t next = at % 1024 == 0 || at % 1024 < 4 ? at : round_up(at, 1024);
  return min_u64(next, size - 64);
}

static unsigned char byte_of(uint64_t tag, size_t at) { return (unsigned char)((tag + at) * 0x9E3779B97F4A7C15u >> 56); }

static void fill(const struct object *o) {
  for (size_t at = 0; at < o->size; at = next_byte(at, o->size)) o->p[at] = byte_of(o->tag, at);
}

/* Up to a byte. */
static bool whole(const struct object *o, size_t to) {
  for (size_t at = 0; at < to; at = next_byte(at, o->size))
    if (o->p[at] != byte_of(o->tag, at)) return false;
  return true;
}

void object_look(const struct object *o) { require(!o->tag || whole(o, o->size)); }

/* ---- counting ---- */

static void count(struct hand *hand, const void *p, int64_t n) {
  u64 region = region_of(p);
  if (region < region_spans()) hand->live[region_class(region)] += n;
  else hand->spans += n;
}

/* ---- making and freeing ---- */

/* The fault "twice": what comes out is an object that this thread has already. */
static bool twice(struct hand *hand, size_t size, struct object *out) {
  static struct object victim;
  if (!plant_now("twice")) return false;
  victim = (struct object){copse_alloc(size), size, hand->number * (uint64_t)1000003};
  require(victim.p);
  fill(&victim);
  count(hand, victim.p, 1);
  *out = (struct object){victim.p, size, victim.tag + 77};
  hand->victim = &victim;
  return true;
}

/* Some of those that are written to are asked for zeroed. */
static unsigned char *allocate(size_t size, uint64_t tag) {
  if (!tag || tag & 6) return copse_alloc(size);
  unsigned char *p = copse_alloc_zeroed(size);
  for (size_t at = 0; p && at < size; at = next_byte(at, size)) require(!p[at]);
  return p;
}

static uint64_t tag_of(struct hand *hand) { return mix((uint64_t)hand->number << 48 | ++hand->tags); }

/* It is this thread's now. */
static void adopt(struct hand *hand, struct object *o) {
  require(((uptr)o->p & (COPSE_ALIGNMENT_MIN - 1)) == 0);
  if (o->tag) fill(o);
  count(hand, o->p, 1);
  hand->made++;
}

static bool make(struct hand *hand, size_t size, struct object *out, uint64_t tag) {
  *out = (struct object){.size = size, .tag = tag};
  bool again = tag && twice(hand, size, out);
  if (!again) {
    errno = 0;
    out->p = allocate(size, tag);
  }
  if (!out->p) {
    require(errno == ENOMEM && stress_scenario.flags & STRESS_REFUSALS);
    hand->refused++;
    return false;
  }
  require(again || copse_usable_size(out->p) >= size);
  adopt(hand, out);
  if (hand->victim) {
    object_look(hand->victim);
    hand->victim = NULL;
  }
  if (tag && plant_now("scribble")) out->p[size / 2 < 64 ? size / 2 : 0] ^= 1;
  return true;
}

bool object_make(struct hand *hand, size_t size, struct object *out) {
  return make(hand, size, out, tag_of(hand));
}
bool object_reserve(struct hand *hand, size_t size, struct object *out) { return make(hand, size, out, 0); }

void object_free(struct hand *hand, struct object *o) {
  if (!o->p) return;
  object_look(o);
  count(hand, o->p, -1);
  hand->freed++;
  if (!plant_now("lose")) {
    /* By its size or by its address. */
    o->tag & 1 ? copse_free(o->p, o->size) : copse_free_unsized(o->p);
  }
  o->p = NULL;
}

unsigned object_make_batch(struct hand *hand, size_t size, unsigned n, struct object out[]) {
  void *p[OBJECTS_MOST];
  require(n <= OBJECTS_MOST);
  errno = 0;
  unsigned made = (unsigned)copse_alloc_batch(size, n, p);
  if (made < n) {
    require(errno == ENOMEM && stress_scenario.flags & STRESS_REFUSALS);
    hand->refused++;
  }
  for (unsigned i = 0; i < made; i++) {
    out[i] = (struct object){p[i], size, tag_of(hand)};
    adopt(hand, &out[i]);
  }
  return made;
}

void object_free_batch(struct hand *hand, unsigned n, struct object o[]) {
  void *p[OBJECTS_MOST];
  require(n <= OBJECTS_MOST);
  for (unsigned i = 0; i < n; i++) {
    object_look(&o[i]);
    require(o[i].size == o[0].size);
    count(hand, p[i] = o[i].p, -1);
    hand->freed++;
    o[i].p = NULL;
  }
  if (n) copse_free_batch(o[0].size, n, p);
}

bool object_resize(struct hand *hand, struct object *o, size_t size) {
  void *before = o->p;
  errno = 0;
  void *p = copse_realloc(o->p, o->size, size);
  if (!p) {
    require(errno == ENOMEM && stress_scenario.flags & STRESS_REFUSALS);
    hand->refused++;
    object_look(o);
    return false;
  }
  o->p = p;
  require(whole(o, min_u64(o->size, size)));
  if (p != before) {
    count(hand, before, -1);
    count(hand, p, 1);
  }
  o->size = size;
  fill(o);
  return true;
}

size_t random_size(uint64_t *random, size_t most) {
  size_t size = 1 + random_below(random, (size_t)16 << random_below(random, random_below(random, 50) ? 6 : 17));
  return min_u64(size, most);
}

/* ---- threads ---- */

static struct {
  unsigned n;
  void (*work)(struct hand *);
  pthread_t thread[HANDS];
} now_at_work;

static void *thread_main(void *argument) {
  timer_t timer;
  bool preempted = stress_state.round % 2 && !(stress_scenario.flags & STRESS_QUIET) && preempt_begin(argument, &timer);
  now_at_work.work(argument);
  if (preempted) preempt_end(timer);
  return NULL;
}

void crew_start(unsigned n, void (*work)(struct hand *hand), void *shared) {
  require(n < HANDS);
  now_at_work.n = n;
  now_at_work.work = work;
  /* Small stacks, for some scenarios count address space. */
  pthread_attr_t attributes;
  require(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, (size_t)1 << 20) == 0);
  for (unsigned i = 1; i <= n; i++) {
    stress_hands[i].shared = shared;
    require(pthread_create(&now_at_work.thread[i], &attributes, thread_main, &stress_hands[i]) == 0);
  }
  pthread_attr_destroy(&attributes);
}

void crew_join(void) {
  for (unsigned i = 1; i <= now_at_work.n; i++) require(pthread_join(now_at_work.thread[i], NULL) == 0);
}

void stress_breathe(struct hand *hand) {
  if (random_below(&hand->random, 64) == 0) sched_yield();
}

void hands_seed(uint64_t round_seed) {
  for (unsigned i = 0; i < HANDS; i++) {
    stress_hands[i].number = i;
    stress_hands[i].random = mix(round_seed + i) | 1;
  }
}

void hands_count(void) {
  struct totals *t = stress_state.totals;
  for (unsigned i = 0; i < HANDS; i++) {
    __atomic_fetch_add(&t->made, stress_hands[i].made, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->freed, stress_hands[i].freed, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->refused, stress_hands[i].refused, __ATOMIC_RELAXED);
  }
}
