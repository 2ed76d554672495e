/* SPDX-License-Identifier: MIT */
/* Litmus tests: which outcomes the memory model has, and in how many graphs. */
#include "scenarios.h"
#include <pthread.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan" /* gcc thinks that no runtime knows fences */
#endif

static int x, y, z, data, r[8];
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, n = PTHREAD_MUTEX_INITIALIZER;

static void clean(void) {
  x = y = z = data = 0;
  for (int i = 0; i < 8; i++) r[i] = 0;
}

#define RLX            __ATOMIC_RELAXED
#define ACQ            __ATOMIC_ACQUIRE
#define REL            __ATOMIC_RELEASE
#define SC             __ATOMIC_SEQ_CST
#define W(v, n, order) __atomic_store_n(&v, n, order)
#define R(v, order)    __atomic_load_n(&v, order)
#define F(order)       __atomic_thread_fence(order)

/* The registers as the digits of a number in base two, the first the lowest. */
static void outcome2(void) { model_outcome((unsigned)(r[0] + 2 * r[1])); }
static void outcome3(void) { model_outcome((unsigned)(r[0] + 2 * r[1] + 4 * r[2])); }
static void outcome4(void) { model_outcome((unsigned)(r[0] + 2 * r[1] + 4 * r[2] + 8 * r[3])); }
static void outcome_xy(void) { model_outcome((unsigned)(x - 1 + 2 * (y - 1))); }

/* Store buffering. */
#define SB(name, w, f, rd)                                                                                             \
  static void name##_a(void) {                                                                                         \
    W(x, 1, w);                                                                                                        \
    f;                                                                                                                 \
    r[0] = R(y, rd);                                                                                                   \
  }                                                                                                                    \
  static void name##_b(void) {                                                                                         \
    W(y, 1, w);                                                                                                        \
    f;                                                                                                                 \
    r[1] = R(x, rd);                                                                                                   \
  }
SB(sb, RLX, (void)0, RLX)
SB(sb_ra, REL, (void)0, ACQ)
SB(sb_fence, RLX, F(SC), RLX)
SB(sb_sc, SC, (void)0, SC)

/* Message passing. */
#define MP(name, w, f1, f2, rd)                                                                                        \
  static void name##_a(void) {                                                                                         \
    W(x, 1, RLX);                                                                                                      \
    f1;                                                                                                                \
    W(y, 1, w);                                                                                                        \
  }                                                                                                                    \
  static void name##_b(void) {                                                                                         \
    r[0] = R(y, rd);                                                                                                   \
    f2;                                                                                                                \
    r[1] = R(x, RLX);                                                                                                  \
  }
MP(mp, RLX, (void)0, (void)0, RLX)
MP(mp_ra, REL, (void)0, (void)0, ACQ)
MP(mp_release_only, REL, (void)0, (void)0, RLX)
MP(mp_fence, RLX, F(REL), F(ACQ), RLX)

/* Load buffering: the model has none. */
static void lb_a(void) {
  r[0] = R(x, RLX);
  W(y, 1, RLX);
}
static void lb_b(void) {
  r[1] = R(y, RLX);
  W(x, 1, RLX);
}

/* Independent reads of independent writes. */
static void iriw_a(void) { W(x, 1, REL); }
static void iriw_b(void) { W(y, 1, REL); }
#define IRIW(name, f)                                                                                                  \
  static void name##_c(void) {                                                                                         \
    r[0] = R(x, ACQ);                                                                                                  \
    f;                                                                                                                 \
    r[1] = R(y, ACQ);                                                                                                  \
  }                                                                                                                    \
  static void name##_d(void) {                                                                                         \
    r[2] = R(y, ACQ);                                                                                                  \
    f;                                                                                                                 \
    r[3] = R(x, ACQ);                                                                                                  \
  }
IRIW(iriw, (void)0)
IRIW(iriw_fence, F(SC))

/* Two and two writes: both orders against the program's are not looked for. */
static void ww_a(void) {
  W(x, 1, RLX);
  W(y, 2, RLX);
}
static void ww_b(void) {
  W(y, 1, RLX);
  W(x, 2, RLX);
}

/* Coherence. */
static void co_w1(void) { W(x, 1, RLX); }
static void co_w2(void) { W(x, 2, RLX); }
static void co_rr(void) {
  r[0] = R(x, RLX);
  r[1] = R(x, RLX);
}
static void co_wr(void) {
  W(x, 1, RLX);
  r[0] = R(x, RLX);
}
static void co_never_back(void) {
  check(!(r[0] == 1 && r[1] == 0));
  outcome2();
}

/* Write to read causality. */
static void wrc_b(void) {
  r[0] = R(x, RLX);
  W(y, 1, REL);
}
static void wrc_c(void) {
  r[1] = R(y, ACQ);
  r[2] = R(x, RLX);
}

/* A release sequence goes on through a read-modify-write, and not through a store. */
static void rs_a(void) {
  data = 1;
  W(x, 1, REL);
}
static void rs_b(void) { __atomic_fetch_add(&x, 1, RLX); }
static void rs_c(void) {
  if (R(x, ACQ) == 2) r[0] = data;
}
static void rs_only_if_1(void) {
  int one = 1;
  __atomic_compare_exchange_n(&x, &one, 2, 0, RLX, RLX);
}
static void rs_store(void) {
  data = 1;
  W(x, 1, REL);
  W(x, 2, RLX);
}
static void rs_fence(void) {
  data = 1;
  F(REL);
  W(x, 2, RLX);
}

/* Atomicity. */
static void add(void) { __atomic_fetch_add(&x, 1, RLX); }
static void three(void) { check(x == 3); }
static void win(void) {
  int none = 0;
  if (__atomic_compare_exchange_n(&x, &none, 1 + model_thread(), 0, RLX, RLX))
    __atomic_fetch_add(&y, 1, RLX);
  else
    check(none != 0);
}
static void one_winner(void) { check(y == 1); }

/* A weak compare-and-swap may fail where it would succeed, as often as the scenario allows; then it has read what it
 * expected. */
static bool weak(int from, int to) {
  int read = from;
  bool done = model_cas_weak(&x, &read, to);
  check(done || read == from);
  return done;
}
static void weak_once(void) { r[0] = weak(0, 1); }
static void strong_once(void) {
  int none = 0;
  r[0] = __atomic_compare_exchange_n(&x, &none, 1, 0, RLX, RLX);
}
static void weak_until(void) {
  do r[0]++;
  while (!weak(0, 1));
}
static void tries(void) {
  check(x == 1);
  model_outcome((unsigned)r[0]);
}
static void weak_add(void) {
  int old = R(x, RLX);
  while (!model_cas_weak(&x, &old, old + 1)) continue;
}
static void sum_2(void) { check(x == 2); }

/* Mutexes. */
static void locked(void) {
  pthread_mutex_lock(&m);
  data++;
  pthread_mutex_unlock(&m);
}
static void bare(void) { data++; }
static void both(void) { check(data == 2); }
static void m_n(void) {
  pthread_mutex_lock(&m);
  pthread_mutex_lock(&n);
  pthread_mutex_unlock(&n);
  pthread_mutex_unlock(&m);
}
static void n_m(void) {
  pthread_mutex_lock(&n);
  pthread_mutex_lock(&m);
  pthread_mutex_unlock(&m);
  pthread_mutex_unlock(&n);
}

/* Choices. */
static void choose(void) { r[model_thread()] = (int)model_choose(2); }

#define TEST(name_, bits, graphs_, ...)                                                                                \
  { .name = "litmus/" name_, .setup = clean, .outcomes = bits, .graphs = graphs_, __VA_ARGS__ }
const struct scenario self_litmus[] = {
    TEST("sb", 15, 4, .thread = {sb_a, sb_b}, .final = outcome2),
    TEST("sb-release-acquire", 15, 4, .thread = {sb_ra_a, sb_ra_b}, .final = outcome2),
    TEST("sb-fences", 14, 4, .thread = {sb_fence_a, sb_fence_b}, .final = outcome2),
    TEST("sb-seq-cst", 14, 0, .thread = {sb_sc_a, sb_sc_b}, .final = outcome2),
    TEST("mp", 15, 4, .thread = {mp_a, mp_b}, .final = outcome2),
    TEST("mp-release-acquire", 13 ^ 0, 3, .thread = {mp_ra_a, mp_ra_b}, .final = outcome2),
    TEST("mp-release-only", 15, 4, .thread = {mp_release_only_a, mp_release_only_b}, .final = outcome2),
    TEST("mp-fences", 13, 3, .thread = {mp_fence_a, mp_fence_b}, .final = outcome2),
    TEST("lb-absent", 7, 3, .thread = {lb_a, lb_b}, .final = outcome2),
    TEST("iriw", 65535, 16, .thread = {iriw_a, iriw_b, iriw_c, iriw_d}, .final = outcome4),
    TEST("iriw-fences", 65535 & ~(1 << 5), 0, .thread = {iriw_a, iriw_b, iriw_fence_c, iriw_fence_d},
         .final = outcome4),
    TEST("2+2w-by-execution", 14, 3, .thread = {ww_a, ww_b}, .final = outcome_xy),
    TEST("corr", 13, 3, .thread = {co_w1, co_rr}, .final = co_never_back),
    TEST("corr-2-writers", 0, 12, .thread = {co_w1, co_w2, co_rr}, .final = NULL),
    TEST("cowr", 0, 3, .thread = {co_wr, co_w2}, .final = NULL),
    TEST("wrc", 0, 7, .thread = {co_w1, wrc_b, wrc_c}, .final = outcome3),
    TEST("release-sequence-rmw", 0, 0, .thread = {rs_a, rs_only_if_1, rs_c}),
    TEST("release-sequence-rmw-first", 0, 0, .thread = {rs_a, rs_b, rs_c}),
    TEST("release-sequence-store", 0, 0, .thread = {rs_store, rs_c}, .expected = FAILED, .fails = "race"),
    TEST("release-sequence-fence", 0, 2, .thread = {rs_fence, rs_c}),
    TEST("add", 0, 6, .thread = {add, add, add}, .final = three),
    TEST("one-cas-wins", 0, 0, .thread = {win, win, win}, .final = one_winner),
    TEST("strong-cas", 2, 1, .thread = {strong_once}, .final = outcome2, .spurious = 3),
    TEST("weak-cas", 3, 2, .thread = {weak_once}, .final = outcome2, .spurious = 1),
    TEST("weak-cas-not-allowed", 2, 1, .thread = {weak_once}, .final = outcome2),
    TEST("weak-cas-until", 30, 4, .thread = {weak_until}, .final = tries, .spurious = 3),
    TEST("weak-cas-add", 0, 0, .thread = {weak_add, weak_add}, .final = sum_2, .spurious = 2),
    TEST("mutex", 0, 6, .thread = {locked, locked, locked}),
    TEST("mutex-sum", 0, 2, .thread = {locked, locked}, .final = both),
    TEST("no-mutex", 0, 0, .thread = {locked, bare}, .expected = FAILED, .fails = "race"),
    TEST("lock-order", 0, 0, .thread = {m_n, n_m}, .expected = FAILED, .fails = "deadlock", .found_at = 2),
    TEST("choose", 15, 4, .thread = {choose, choose}, .final = outcome2),
    {.name = NULL},
};
