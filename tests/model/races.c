/* SPDX-License-Identifier: MIT */
/*
 * Races between events, as the search sees them: pairs whose reversal gives another graph.
 *   store and store of one place, neighbours in modification order;
 *   a load and a later store of the place, which the load could have read;
 *   a compare-and-swap that failed and the store after the one with which it would have succeeded;
 *   two locks of a mutex, neighbours.
 * A load and an earlier store are none: what the load could read else is offered where it is.
 */
#include "search.h"

static bool comes_before(const struct event *e, const struct clock *c) { return e->at <= c->at[e->thread]; }

/* Before `first`: those threads with which a sequence can begin that has `second` (whose order is `clock`) come first.
 */
static void reverse(int first, int second, const struct clock *clock) {
  const struct event *e = &now.event[first];
  u32 begin[T] = {0};
  unsigned initials = 0;
  for (int i = first + 1; i <= second; i++) {
    const struct event *f = &now.event[i];
    if (i != second && comes_before(e, &f->order)) continue;
    if (begin[f->thread]) continue;
    const struct clock *order = i == second ? clock : &f->order;
    bool initial = true;
    for (int t = 0; t < T; t++)
      if (begin[t] && order->at[t] >= begin[t]) initial = false;
    begin[f->thread] = f->at;
    if (initial) initials |= 1u << f->thread;
  }
  search_backtrack(e->node, initials);
}

static void race(int first, int second, const struct clock *clock) {
  if (first == NO) return;
  const struct event *a = &now.event[first], *b = &now.event[second];
  if (a->thread == b->thread || a->node == NO || comes_before(a, &b->before)) return;
  reverse(first, second, clock);
}

static u128 part(u128 value, const struct op *op) {
  if (op->half == 2) value >>= 64;
  if (op->size < 16) value &= ((u128)1 << (8 * op->size)) - 1;
  return value;
}

static void race_of_lock(int event, int below) {
  const struct event *e = &now.event[event];
  const struct place *p = e->op.place;
  for (int i = below - 1; i > 0; i--) {
    int other = p->stores[i].event;
    if (now.event[other].op.kind != LOCK) continue;
    race(other, event, &e->before);
    return;
  }
}

void races_of_waiting(void) {
  for (int t = 0; t < now.threads; t++) {
    const struct thread *w = &now.thread[t];
    if (w->finished || w->stopped || !w->op || w->op->kind != LOCK || w->op->place->holder == NO) continue;
    /* The event that it would be. */
    struct event *e = &now.event[now.events];
    *e = (struct event){.thread = (u8)t, .at = w->now, .node = NO, .op = *w->op, .before = w->order};
    race_of_lock(now.events, w->op->place->count);
  }
}

void races_of(int event) {
  const struct event *e = &now.event[event];
  const struct place *p = e->op.place;
  if (!p) return;
  if (e->op.kind == LOCK) {
    race_of_lock(event, e->store);
    return;
  }
  if (e->op.kind == CAS) {
    int end = e->wrote ? e->store : p->count;
    for (int i = 0; i + 1 < end; i++)
      if (part(p->stores[i].value, &e->op) == e->op.expected) race(p->stores[i + 1].event, event, &e->before);
  } else if (e->wrote) {
    race(p->stores[e->store - 1].event, event, &e->before);
  }
  if (!e->wrote) return;
  for (int i = 0; i < p->access_count; i++) {
    const struct access *a = &p->accesses[i];
    if (a->read && a->half & e->op.half && a->event != event && now.event[a->event].at > e->order.at[a->thread])
      race(a->event, event, &e->order);
  }
}
