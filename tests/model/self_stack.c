/* SPDX-License-Identifier: MIT */
/* The reference stack: how many graphs it has is known from another checker; and the faults that must be found. */
#include "reference.h"
#include "scenarios.h"

struct stack_fault stack_fault;
word128 stack_head;
static struct item items[6];
static struct item *popped[MODEL_THREADS][4];
static int pops[MODEL_THREADS];

static void clean(void) {
  stack_fault = (struct stack_fault){0};
  stack_head = 0;
  for (int i = 0; i < 6; i++) items[i] = (struct item){0};
  for (int i = 0; i < MODEL_THREADS; i++) pops[i] = 0;
}

static void push(int i) {
  items[i].payload = i + 1;
  stack_push(&items[i]);
}

static struct item *pop(void) {
  int me = model_thread();
  struct item *item = stack_pop();
  if (!item) return NULL;
  check(item->payload == item - items + 1);
  popped[me][pops[me]++] = item;
  return item;
}

static void preload(int n) {
  for (int i = 0; i < n; i++) {
    items[i].payload = i + 1;
    stack_push(&items[i]);
  }
}

/* Each of the first n is on the stack, or was popped, and only once. */
static void whole(int n) {
  int seen[6] = {0};
  for (int t = 0; t < MODEL_THREADS; t++)
    for (int i = 0; i < pops[t]; i++) seen[popped[t][i] - items]++;
  uint64_t count = stack_count(stack_head);
  for (struct item *i = stack_top(stack_head); i; i = i->next, count--) {
    check(count > 0);
    seen[i - items]++;
  }
  check(count == 0);
  for (int i = 0; i < n; i++) check(seen[i] == 1);
}
static void whole2(void) { whole(2); }
static void whole3(void) { whole(3); }

static void push_pop(void) {
  push(model_thread());
  pop();
}

static void pop_push(void) {
  int me = model_thread();
  struct item *item = pop();
  if (!item) return;
  pops[me]--;
  item->payload = (int)(item - items) + 1;
  stack_push(item);
}

static void pop_push_twice(void) {
  pop_push();
  pop_push();
}

static void pop_only(void) { pop(); }
static void push_third(void) { push(2); }

static void two(void) {
  clean();
  preload(2);
}
static void torn(void) {
  clean();
  stack_fault.torn = true;
}

/* ---- faults ---- */

/* The top comes back with the same count and another item below: pop against pop, pop, push C, push A. */
static void same_count(void) {
  clean();
  preload(2);
  stack_fault.no_generation = true;
}
static void away_and_back(void) {
  struct item *top = pop();
  if (!top || !pop()) return;
  push(2);
  pops[model_thread()]--;
  popped[model_thread()][0] = popped[model_thread()][1];
  stack_push(top);
}
static bool third(void) {
  if (stack_count(stack_head) + (uint64_t)(pops[0] + pops[1]) == 2) return false;
  return true;
}
static void whole_same_count(void) { whole(third() ? 3 : 2); }

static void fault_push(void) {
  clean();
  stack_fault.push_relaxed = true;
}
static void fault_pop(void) {
  clean();
  stack_fault.pop_relaxed = true;
}
static void fault_link(void) {
  clean();
  preload(2);
  stack_fault.link_in_slot = true;
}
static void pop_reuse(void) {
  struct item *item = pop();
  if (item) item->next = NULL; /* its memory is the user's now */
}
static void pop_unmap(void) {
  struct item *item = pop();
  if (item) model_unmap(item, sizeof *item);
}

const struct scenario self_stack[] = {
    {.name = "stack/2-push-pop", .setup = clean, .thread = {push_pop, push_pop}, .final = whole2, .graphs = 40},
    {.name = "stack/3-push-pop",
     .setup = clean,
     .thread = {push_pop, push_pop, push_pop},
     .final = whole3,
     .graphs = 28032},
    {.name = "stack/3-pop-push",
     .setup = two,
     .thread = {pop_push, pop_push, pop_push},
     .final = whole2,
     .graphs = 21330},
    {.name = "stack/3-pop-push-twice",
     .setup = two,
     .thread = {pop_push_twice, pop_push, pop_only},
     .final = whole2,
     .graphs = 322313},
    {.name = "stack/4-mixed",
     .setup = two,
     .thread = {push_third, pop_push, pop_only, pop_only},
     .final = whole3,
     .graphs = 29424},
    {.name = "stack/2-push-pop-torn", .setup = torn, .thread = {push_pop, push_pop}, .final = whole2, .graphs = 144},
    {.name = "stack/3-push-pop-torn",
     .setup = torn,
     .thread = {push_pop, push_pop, push_pop},
     .final = whole3,
     .graphs = 659664,
     .lengthy = true},
    {.name = "stack/no-generation",
     .setup = same_count,
     .thread = {pop_only, away_and_back},
     .final = whole_same_count,
     .expected = FAILED,
     .found_at = 3},
    {.name = "stack/push-relaxed",
     .setup = fault_push,
     .thread = {push_pop, push_pop},
     .final = whole2,
     .expected = FAILED,
     .fails = "race",
     .found_at = 8},
    {.name = "stack/pop-relaxed",
     .setup = fault_pop,
     .thread = {push_pop, push_pop},
     .final = whole2,
     .expected = FAILED,
     .found_at = 19},
    {.name = "stack/link-in-slot",
     .setup = fault_link,
     .thread = {pop_reuse, pop_reuse},
     .final = NULL,
     .expected = FAILED,
     .fails = "race",
     .found_at = 2},
    {.name = "stack/unmap",
     .setup = two,
     .thread = {pop_unmap, pop_only},
     .final = NULL,
     .expected = FAILED,
     .fails = "unmap",
     .found_at = 2},
    {.name = NULL},
};
