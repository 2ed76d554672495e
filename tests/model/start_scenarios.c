/* SPDX-License-Identifier: MIT */
/* The process's first calls, all at once; a thread's first call and its end; and parameters. */
#include "library.h"
#include "scenarios.h"
#include "tune.h"

static void *got[MODEL_THREADS];

static void before(void) {
  library_setup();
  for (int i = 0; i < MODEL_THREADS; i++) got[i] = NULL;
}
static void start_only(void) {
  check(copse_start());
  check(copse_started());
  check(copse_pools[SMALL].slots_max > 0 && copse_pools[SMALL].start);
}
static void first_alloc(void) {
  void *p = got[model_thread()] = copse_alloc(SMALL_SIZE);
  check(p);
  *(void **)p = p;
}
static void first_span(void) {
  u64 *p = got[model_thread()] = copse_alloc((size_t)COPSE_CLASS_SIZE_MAX + 1);
  check(p);
  p[0] = 1;
}
static void ask_started(void) {
  if (!copse_started()) return;
  /* All that is constant after start is there. */
  check(copse_pools[SMALL].slots_max > 0 && copse_pools[SMALL].start);
  check(copse_trim_pending() <= MODEL_THREADS);
}
static void trim_early(void) { copse_trim(); }
static void stats_early(void) {
  static struct copse_stats stats[MODEL_THREADS];
  copse_stats(&stats[model_thread()]);
}
static void alloc_and_exit(void) {
  void *p = copse_alloc(SMALL_SIZE);
  *(void **)p = p;
  copse_free(p, SMALL_SIZE);
  model_thread_exit();
  check(copse_self_ == &copse_cache_exited.hot);
}
static void alloc_after_exit(void) {
  alloc_and_exit();
  got[model_thread()] = copse_alloc(SMALL_SIZE);
}
static void may_refuse(void) {
  before();
  refuse_from = 1;
}
static void start_refused(void) {
  check(!copse_start());
  check(!copse_alloc(SMALL_SIZE));
}
static void distinct(void) {
  for (int i = 0; i < MODEL_THREADS; i++)
    for (int k = 0; k < i; k++) check(!got[i] || got[i] != got[k]);
}
static void not_started(void) { check(!copse_started()); }

static void user(void) {
  copse_self_ = &records[model_thread()]->hot;
  void *p = got[model_thread()] = copse_alloc(SMALL_SIZE);
  check(p);
}

/* ---- parameters ---- */

static void set(void) { check(copse_parameter_set("depth_1k", 8) == 0); }
static void get(void) {
  u64 value;
  check(copse_parameter_get("depth_1k", &value) == 0 && (value == 4 || value == 8));
}

#define S(name_, once_, setup_, final_, ...)                                                                           \
  {                                                                                                                    \
    .name = "start/" name_, .once = once_, .setup = setup_, .final = final_, .thread = { __VA_ARGS__ }                 \
  }
const struct scenario start_scenarios[] = {
    S("two-at-once", library_before_start, before, distinct, start_only, start_only),
    S("three-at-once", library_before_start, before, distinct, start_only, start_only, start_only),
    S("two-first-allocations", library_before_start, before, distinct, first_alloc, first_alloc),
    S("first-span-and-slot", library_before_start, before, distinct, first_alloc, first_span),
    S("asked-meanwhile", library_before_start, before, distinct, start_only, ask_started, ask_started),
    S("trim-meanwhile", library_before_start, before, distinct, start_only, trim_early),
    S("stats-meanwhile", library_before_start, before, distinct, start_only, stats_early),
    S("refused", library_before_start, may_refuse, not_started, start_refused, start_refused),
    S("exit-and-exit", library_up, before, distinct, alloc_and_exit, alloc_and_exit),
    S("after-exit", library_up, before, distinct, alloc_after_exit, first_alloc),
    S("set-against-get", library_up, before, NULL, set, get, user),
    {.name = NULL},
};
