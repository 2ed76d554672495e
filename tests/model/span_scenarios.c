/* SPDX-License-Identifier: MIT */
/* Spans: runs of granules, the cache of freed ones, growing in place.  There are three granules. */
#include "library.h"
#include "scenarios.h"
#include "span.h"

enum { LENGTH = 4096 };
static u64 *spans[MODEL_THREADS];
static unsigned freed;

static void clean(void) {
  library_setup();
  for (int i = 0; i < MODEL_THREADS; i++) spans[i] = NULL;
  freed = 0;
}

static u64 *alloc(u64 length, bool zero) {
  u64 *p = copse_span_alloc(length, 1, zero);
  if (!p) return NULL;
  check(copse_span_size(p) >= length);
  if (zero) check(p[0] == 0 && p[1] == 0);
  p[0] = (u64)model_thread() + 10;
  p[1] = 1;
  return p;
}
static void release(u64 *p) {
  p[1] = 2;
  check(copse_span_free(p));
}

static void take(void) { check((spans[model_thread()] = alloc(LENGTH, false)) != NULL); }
static void take_if(void) { spans[model_thread()] = alloc(LENGTH, false); }
static void take_zero(void) { spans[model_thread()] = alloc(LENGTH, true); }
static void take_give(void) { release(alloc(LENGTH, false)); }
static void give(void) {
  release(spans[model_thread()]);
  spans[model_thread()] = NULL;
}
static void give_take(void) {
  give();
  take();
}
static void free_the_first(void) {
  if (copse_span_free(spans[0])) __atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
}
static void trim(void) { copse_span_trim(); }
static void grow(void) {
  u64 *p = copse_span_resize(spans[0], GRANULE + LENGTH);
  if (!p) return; /* moving pages is refused here */
  spans[0] = p;
  check(p[0] == 7);
  p[GRANULE / 8] = 7;
}
static void shrink(void) {
  u64 *p = copse_span_resize(spans[0], LENGTH);
  check(p == spans[0] && p[0] == 7);
}
static struct mail mail;
static void post_span(void) {
  u64 *p = alloc(LENGTH, false);
  __atomic_store_n(&mail.p, p, __ATOMIC_RELEASE);
}
static void free_posted(void) {
  u64 *p = __atomic_load_n(&mail.p, __ATOMIC_ACQUIRE);
  if (!p) return;
  check(copse_span_size(p) == LENGTH && p[1] == 1);
  release(p);
}
static void valid(void) { check(copse_span_valid()); }

static void whole(void) {
  check(copse_span_valid());
  for (int i = 0; i < MODEL_THREADS; i++)
    for (int k = 0; k < i; k++) check(!spans[i] || spans[i] != spans[k]);
}
static void freed_once(void) {
  check(freed == 1);
  check(copse_span_valid());
}
static void one_each(void) {
  clean();
  for (int i = 0; i < 2; i++) (spans[i] = copse_span_alloc(LENGTH, 1, false))[0] = 7;
}
static void one(void) {
  clean();
  (spans[0] = copse_span_alloc(LENGTH, 1, false))[0] = 7;
}
static void two_granules(void) {
  clean();
  (spans[0] = copse_span_alloc(GRANULE + LENGTH, 1, false))[0] = 7;
}
static void one_cached(void) {
  clean();
  u64 *p = copse_span_alloc(LENGTH, 1, false);
  p[0] = p[1] = 7;
  check(copse_span_free(p));
}
static void no_cache(void) {
  one_each();
  copse_tunables.span_cache = 0;
}
static void posted(void) {
  clean();
  mail.p = NULL;
}
static void limited(void) {
  one_cached();
  copse_tunables.limit = copse_vm_counters.in_use + LENGTH;
}
static void refused(void) {
  one_cached();
  refuse_from = -1;
}

#define S(name_, setup_, final_, ...)                                                                                  \
  {                                                                                                                    \
    .name = "span/" name_, .once = library_up, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }             \
  }
const struct scenario span_scenarios[] = {
    S("take-take", clean, whole, take, take),
    S("take-three", clean, whole, take, take, take),
    S("take-give-both", clean, whole, take_give, take_give),
    {.name = "span/four-for-three",
     .once = library_up,
     .setup = clean,
     .final = whole,
     .lengthy = true,
     .thread = {take_if, take_if, take_if, take_if}},
    S("give-give", one_each, whole, give, give),
    S("give-give-no-cache", no_cache, whole, give, give_take),
    S("freed-twice", one, freed_once, free_the_first, free_the_first),
    S("freed-by-another", posted, whole, post_span, free_posted),
    S("cached-two-takers", one_cached, whole, take, take),
    S("cached-taker-against-trim", one_cached, whole, take, trim),
    S("give-against-trim", one_each, whole, give, trim),
    S("trim-trim", one_cached, whole, trim, trim, take),
    S("zero-against-give", one_each, whole, give, give, take_zero),
    S("zero-from-cache", one_cached, whole, take_zero, trim),
    S("grow-against-take", one, whole, grow, take),
    S("grow-against-give", one_each, whole, grow, give),
    S("shrink-against-take", two_granules, whole, shrink, take),
    S("limit", limited, whole, take_if, take_if),
    S("refused", refused, whole, take_if, take_if),
    S("check-against-take", one_each, whole, give_take, valid),
    {.name = NULL},
};
