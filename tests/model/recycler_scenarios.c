/* SPDX-License-Identifier: MIT */
/* The recycler: each bundle is in it or popped, once; the cap holds; and its history is that of a stack. */
#include "recycler.h"
#include "scenarios.h"

enum { BUNDLES = 6, OPERATIONS = 8 };

static struct recycler recycler;
static struct bundle bundles[BUNDLES] __attribute__((aligned(BUNDLE_BYTES)));
static unsigned cap;

/* What was done, for the final check. */
enum what { PUSHED, REFUSED, POPPED, EMPTY };
static struct operation {
  enum what what;
  int bundle;
  struct moment begin, end;
} history[MODEL_THREADS][OPERATIONS];
static int done[MODEL_THREADS];
static int preloaded;

static void clean(void) {
  recycler.head = (struct pair){0, 0};
  cap = 32;
  preloaded = 0;
  for (int i = 0; i < MODEL_THREADS; i++) done[i] = 0;
  for (int i = 0; i < BUNDLES; i++) {
    bundles[i].next = NULL;
    bundle_open(&bundles[i], 4);
  }
}

static void preload(int n) {
  clean();
  for (preloaded = 0; preloaded < n; preloaded++) {
    bundles[preloaded].slot[63] = &bundles[preloaded];
    check(copse_recycler_push_mpmc(&recycler, &bundles[preloaded], cap));
  }
}

static struct operation *note(int me) { return &history[me][done[me]++]; }

/* The slots are the bundle's contents: plain memory, that push publishes. */
static bool push(int i) {
  struct operation *o = note(model_thread());
  bundles[i].slot[63] = &bundles[i];
  o->bundle = i;
  o->begin = model_moment();
  o->what = copse_recycler_push_mpmc(&recycler, &bundles[i], cap) ? PUSHED : REFUSED;
  o->end = model_moment();
  return o->what == PUSHED;
}

static int pop(void) {
  struct operation *o = note(model_thread());
  o->begin = model_moment();
  struct bundle *b = copse_recycler_pop_mpmc(&recycler);
  o->end = model_moment();
  o->what = b ? POPPED : EMPTY;
  o->bundle = b ? (int)(b - bundles) : -1;
  if (!b) return -1;
  check(b->slot[63] == b);
  b->slot[63] = NULL;
  return o->bundle;
}

/* ---- final checks ---- */

/* Bundles are neither lost nor there twice: in + pushed = out + popped, one by one. */
static void whole(void) {
  int balance[BUNDLES] = {0};
  for (int i = 0; i < preloaded; i++) balance[i]++;
  for (int t = 0; t < MODEL_THREADS; t++)
    for (int i = 0; i < done[t]; i++) {
      struct operation *o = &history[t][i];
      if (o->what == PUSHED) balance[o->bundle]++;
      if (o->what == POPPED) balance[o->bundle]--;
    }
  u64 count = recycler.head.low & RECYCLER_COUNT;
  for (struct bundle *b = (struct bundle *)(recycler.head.low & ~RECYCLER_COUNT); b; b = b->next) {
    check(count > 0);
    count--;
    check(--balance[b - bundles] == 0);
  }
  check(count == 0);
  for (int i = 0; i < BUNDLES; i++) check(balance[i] == 0);
}

/* Whether the rest of the history can be put in an order that is a bounded stack's. */
static bool linear(int at[MODEL_THREADS], int stack[], int height) {
  bool over = true;
  for (int t = 0; t < MODEL_THREADS; t++) {
    if (at[t] == done[t]) continue;
    over = false;
    struct operation *o = &history[t][at[t]];
    bool first = true;
    for (int u = 0; u < MODEL_THREADS && first; u++)
      if (u != t && at[u] < done[u] && model_before(&history[u][at[u]].end, &o->begin)) first = false;
    if (!first) continue;
    int below = height;
    if (o->what == PUSHED) {
      if (height >= (int)cap) continue;
      stack[below++] = o->bundle;
    } else if (o->what == REFUSED) {
      if (height < (int)cap) continue;
    } else if (o->what == EMPTY) {
      if (height) continue;
    } else {
      if (!height || stack[height - 1] != o->bundle) continue;
      below--;
    }
    int kept = height ? stack[height - 1] : -1;
    at[t]++;
    if (linear(at, stack, below)) return true;
    at[t]--;
    if (o->what == POPPED) stack[height - 1] = kept;
  }
  return over;
}

static void linearizable(void) {
  int at[MODEL_THREADS] = {0}, stack[BUNDLES + OPERATIONS];
  for (int i = 0; i < preloaded; i++) stack[i] = i;
  whole();
  check(linear(at, stack, preloaded));
}

/* ---- threads ---- */

static void push_pop(void) {
  push(model_thread());
  pop();
}
static void pop_push(void) {
  int b = pop();
  if (b >= 0) push(b);
}
static void pop_push_twice(void) {
  pop_push();
  pop_push();
}
static void pop_once(void) { pop(); }
static void pop_twice(void) {
  pop();
  pop();
}
static void push_third(void) { push(2); }
static void push_own(void) { push(2 + model_thread()); }
static void push_two(void) {
  push(2 * model_thread());
  push(2 * model_thread() + 1);
}
/* The top comes back with the same count and another bundle below. */
static void away_and_back(void) {
  int top = pop();
  if (top < 0 || pop() < 0) return;
  push(2);
  push(top);
}
static void look(void) {
  u64 slots = copse_recycler_slots(&recycler);
  check(slots <= 4 * BUNDLES && recycler_count(&recycler) <= BUNDLES);
}

static void empty(void) { clean(); }
static void with_one(void) { preload(1); }
static void with_two(void) { preload(2); }
static void full_at_two(void) {
  preload(2);
  cap = 2;
}
static void room_for_one(void) {
  preload(1);
  cap = 2;
}
static void no_room(void) {
  clean();
  cap = 0;
}
static void one_at_most(void) {
  clean();
  cap = 1;
}
static void refused_for_sure(void) { check(!push(model_thread())); }

#define S(name_, setup_, final_, ...)                                                                                  \
  {                                                                                                                    \
    .name = "recycler/" name_, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }                             \
  }
const struct scenario recycler_scenarios[] = {
    S("2-push-pop", empty, linearizable, push_pop, push_pop),
    S("2-pop-push", with_two, linearizable, pop_push, pop_push),
    S("2-pop-push-twice", with_two, linearizable, pop_push_twice, pop_push_twice),
    S("2-push-two-pop-two", empty, linearizable, push_two, pop_twice),
    S("producer-consumer", empty, linearizable, push_two, pop_twice, pop_once),
    S("3-pop-push", with_two, linearizable, pop_push, pop_push, pop_push),
    S("3-pop-one", with_one, linearizable, pop_once, pop_once, pop_once),
    S("4-mixed", with_two, whole, push_third, pop_push, pop_once, pop_once),
    S("aba-same-count", with_two, linearizable, pop_once, away_and_back),
    S("aba-same-count-push", with_two, linearizable, pop_push, away_and_back),
    S("cap-three-exits", room_for_one, linearizable, push_own, push_own, push_own),
    S("cap-push-against-pop", full_at_two, linearizable, push_third, pop_once),
    S("cap-push-against-pop-two", full_at_two, linearizable, push_third, pop_twice, push_own),
    S("cap-of-one", one_at_most, linearizable, push_pop, push_pop),
    S("cap-of-none", no_room, linearizable, refused_for_sure, pop_once),
    S("count-against-push-pop", with_two, whole, look, pop_push, pop_once),
    {.name = "recycler/3-push-pop",
     .setup = empty,
     .final = whole,
     .thread = {push_pop, push_pop, push_pop},
     .graphs = 659664},
    {.name = "recycler/3-pop-push-twice",
     .setup = with_two,
     .final = whole,
     .thread = {pop_push_twice, pop_push, pop_once},
     .lengthy = true,
     .limit = 30000000},
    {.name = NULL},
};
