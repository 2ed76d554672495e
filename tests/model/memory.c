/* SPDX-License-Identifier: MIT */
/*
 * The memory model: RC11 without load buffering, by execution order.
 *
 * Stores of a place stand in the order in which they were executed, which is its modification order.  A load may take
 * any of them that coherence leaves: none older than one that its thread has seen, or that happened before.  What is
 * real memory is always the newest.  A read-modify-write takes the newest; a compare-and-swap that fails may take any
 * whose value is another.  Release sequences go on through read-modify-writes only. Clocks: `hb` is happens-before;
 * `seen` is that and what seq_cst fences forbid to overlook.  A 16-byte word may be read by halves, each of which keeps
 * coherence on its own: so the halves may be torn.
 */
#include "engine.h"
#include <string.h>

struct execution now;

u32 memory_mark(const struct op *op) { return op->place ? (u32)op->place->count : UINT32_MAX; }

/* ---- what a thread may do ---- */

static int floor_of(int thread, const struct place *p, unsigned half) {
  const struct clock *seen = &now.thread[thread].seen;
  int least = 0;
  for (int i = 0; i < p->access_count; i++) {
    const struct access *a = &p->accesses[i];
    if (a->store > least && a->half & half && (a->thread == thread || a->at <= seen->at[a->thread])) least = a->store;
  }
  return least;
}

static u128 half_of(u128 value, unsigned half, unsigned size) {
  if (half == 2) value >>= 64;
  if (size < 16) value &= ((u128)1 << (8 * size)) - 1;
  return value;
}

int memory_choices(int thread, const struct op *op, u32 least, int out[], int room) {
  int n = 0;
  if (op->kind == CHOOSE) {
    for (int i = 0; i < (int)op->operand && n < room && !least; i++) out[n++] = i;
    return n;
  }
  struct place *p = op->place;
  if (!p) {
    out[n++] = 0;
    return n;
  }
  int last = p->count - 1;
  if ((u32)last < least) return 0;
  if (op->kind == LOCK) {
    if (p->holder != NO) return 0;
    out[n++] = last;
    return n;
  }
  if (op->kind != LOAD && op->kind != CAS) {
    out[n++] = last;
    return n;
  }
  int from = floor_of(thread, p, op->half);
  bool spurious = op->kind == CAS && op->weak && now.thread[thread].spurious < model_current.spurious;
  if (from < (int)least) from = (int)least;
  for (int k = last; k >= from; k--) {
    if (op->kind == CAS && k != last && !spurious && half_of(p->stores[k].value, op->half, op->size) == op->expected)
      continue;
    if (n == room) model_fail("too many stores to choose from");
    out[n++] = k;
  }
  /* Weak: it may read what it expects and fail; of the newest that is one choice more. */
  if (spurious && half_of(p->stores[last].value, op->half, op->size) == op->expected) out[n++] = last + 1;
  return n;
}

/* ---- what it does ---- */

static u64 mix(u64 x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

static u64 store_name(const struct store *s) { return s->thread == NO ? 1 : mix((u64)s->thread << 32 | (s->at + 2)); }

/* A graph is its events, what each read, and what each store came after: a sum, so that the order does not count. */
static void hash_event(const struct event *e) {
  u64 h = mix((u64)e->thread << 40 | (u64)e->at << 8 | (u64)e->op.kind);
  const struct place *p = e->op.place;
  if (p) h = mix(h ^ p->base);
  if (e->op.kind == CHOOSE) h = mix(h ^ (u64)e->value);
  if (e->read != NO) h = mix(h * 3 + store_name(&p->stores[e->read]));
  if (e->wrote) h = mix(h * 5 + store_name(&p->stores[e->store - 1]));
  h = mix(h + (u64)e->op.done);
  now.hash += h;
}

static struct event *event_push(int thread, const struct op *op, int node) {
  if (now.events == EVENTS) model_fail("an endless execution");
  struct event *e = &now.event[now.events];
  struct thread *t = &now.thread[thread];
  e->thread = (u8)thread;
  e->wrote = false;
  e->at = t->now++;
  e->node = node;
  e->op = *op;
  e->read = e->store = NO;
  e->before = t->order;
  t->order.at[thread] = t->hb.at[thread] = t->seen.at[thread] = e->at;
  return e;
}

static void event_end(struct event *e, struct op *op) {
  struct thread *t = &now.thread[e->thread];
  e->order = t->order;
  e->op = *op;
  if (now.hashing) hash_event(e);
  now.events++;
}

static void learn(int thread, const struct store *s, int order) {
  struct thread *t = &now.thread[thread];
  if (acquires(order)) {
    clock_join(&t->hb, &s->hb);
    clock_join(&t->seen, &s->seen);
  } else {
    clock_join(&t->acquire_hb, &s->hb);
    clock_join(&t->acquire_seen, &s->seen);
  }
}

/* Appends a store of the thread's; `from` is what a read-modify-write took, whose release sequence goes on. */
static void publish(int thread, struct place *p, struct event *e, u128 value, int order, int from) {
  struct thread *t = &now.thread[thread];
  clock_join(&t->order, &p->stores[p->count - 1].order);
  struct store *s = memory_store_push(p);
  s->value = value;
  s->thread = thread;
  s->at = e->at;
  s->event = now.events;
  s->order = t->order;
  s->hb = releases(order) ? t->hb : t->release_hb;
  s->seen = releases(order) ? t->seen : t->release_seen;
  if (from != NO) {
    clock_join(&s->hb, &p->stores[from].hb);
    clock_join(&s->seen, &p->stores[from].seen);
  }
  e->wrote = true;
  e->store = p->count - 1;
  e->value = value;
}

static void to_memory(const struct op *op, uptr address, u128 value) {
  undo_note(address, op->size);
  memcpy((void *)address, &value, op->size);
}

static uptr address_of(const struct op *op) { return op->place->base + (op->half == 2 ? 8 : 0); }

u128 memory_modified(const struct op *op, u128 old) {
  switch (op->kind) {
  case ADD:
    return old + op->operand;
  case SUB:
    return old - op->operand;
  case AND:
    return old & op->operand;
  case OR:
    return old | op->operand;
  case XOR:
    return old ^ op->operand;
  case NAND:
    return ~(old & op->operand);
  default:
    return op->operand;
  }
}

static u128 whole(const struct op *op, u128 was, u128 part) {
  if (op->half == 3) return part;
  return op->half == 1 ? (was >> 64 << 64 | (u64)part) : ((u64)was | part << 64);
}

static void fences_meet(struct thread *t) {
  clock_join(&t->seen, &now.fences);
  clock_join(&now.fences, &t->seen);
}

void memory_perform(int thread, struct op *op, int choice, int node) {
  struct event *e = event_push(thread, op, node);
  struct thread *t = &now.thread[thread];
  struct place *p = op->place;
  op->done = true;
  if (op->kind == CHOOSE) {
    op->result = (u128)choice;
    e->value = op->result;
    event_end(e, op);
    return;
  }
  if (op->kind == SURVIVE) {
    memory_survive(thread);
    event_end(e, op);
    return;
  }
  memory_settle(p);
  int last = p->count - 1;
  switch (op->kind) {
  case LOCK:
    p->holder = thread;
    learn(thread, &p->stores[last], ACQUIRE);
    publish(thread, p, e, 1, RELAXED, NO);
    break;
  case FENCE:
    fences_meet(t);
    memory_fence(thread, ACQ_REL);
    publish(thread, p, e, 0, RELAXED, NO);
    break;
  case LOAD:
    e->read = choice;
    op->result = half_of(p->stores[choice].value, op->half, op->size);
    clock_join(&t->order, &p->stores[choice].order);
    learn(thread, &p->stores[choice], op->order);
    break;
  case CAS: {
    e->read = choice > last ? last : choice;
    op->result = half_of(p->stores[e->read].value, op->half, op->size);
    op->done = choice == last && op->result == op->expected;
    t->spurious += !op->done && op->result == op->expected;
    clock_join(&t->order, &p->stores[e->read].order);
    learn(thread, &p->stores[e->read], op->done ? op->order : op->failure);
    if (!op->done) break;
    publish(thread, p, e, whole(op, p->stores[last].value, op->operand), op->order, last);
    to_memory(op, address_of(op), op->operand);
    break;
  }
  case STORE:
    publish(thread, p, e, whole(op, p->stores[last].value, op->operand), op->order, NO);
    to_memory(op, address_of(op), op->operand);
    break;
  default: {
    e->read = last;
    op->result = half_of(p->stores[last].value, op->half, op->size);
    u128 value = half_of(memory_modified(op, op->result), 1, op->size);
    learn(thread, &p->stores[last], op->order);
    publish(thread, p, e, whole(op, p->stores[last].value, value), op->order, last);
    to_memory(op, address_of(op), value);
  }
  }
  if (e->read != NO && !e->wrote)
    memory_access_push(p, (struct access){e->at, e->read, now.events, (u8)thread, (u8)op->half, true});
  if (e->wrote)
    memory_access_push(p, (struct access){e->at, e->store, now.events, (u8)thread, p->mutex ? 3 : (u8)op->half, false});
  if (!e->wrote) e->value = op->result;
  if (!p->mutex) shadow_access(thread, address_of(op), op->size, e->wrote, true, op->pc);
  event_end(e, op);
}

void memory_unlock(int thread, struct place *mutex, uptr pc) {
  if (mutex->holder != thread) model_fail("unlocks a mutex that it does not hold");
  struct op op = {.kind = UNLOCK, .place = mutex, .half = 3, .order = RELEASE, .pc = pc, .done = true};
  struct event *e = event_push(thread, &op, NO);
  mutex->holder = NO;
  publish(thread, mutex, e, 0, RELEASE, NO);
  memory_access_push(mutex, (struct access){e->at, e->store, now.events, (u8)thread, 3, false});
  event_end(e, &op);
}

void memory_fence(int thread, int order) {
  struct thread *t = &now.thread[thread];
  if (acquires(order)) {
    clock_join(&t->hb, &t->acquire_hb);
    clock_join(&t->seen, &t->acquire_seen);
  }
  if (releases(order)) {
    t->release_hb = t->hb;
    t->release_seen = t->seen;
    /* What the thread did since its last event is before the fence. */
    t->release_hb.at[thread] = t->release_seen.at[thread] = t->now++;
    t->hb.at[thread] = t->seen.at[thread] = t->order.at[thread] = t->now - 1;
  }
}

void memory_survive(int thread) {
  struct thread *t = &now.thread[thread];
  for (int i = 0; i < now.threads; i++) {
    const struct thread *o = &now.thread[i];
    if (i == thread) continue;
    clock_join(&t->order, &o->order);
    clock_join(&t->hb, &o->hb);
    clock_join(&t->seen, &o->seen);
    /* What it did since its last event too. */
    t->order.at[i] = t->hb.at[i] = t->seen.at[i] = o->now;
  }
}

/* A plain store to places that atomics name too: it takes its place in their order. */
static void plain_store(struct place *p) {
  int thread = now.current;
  struct thread *t = &now.thread[thread];
  struct store *last = &p->stores[p->count - 1];
  if (last->plain && last->thread == thread && last->at == t->now) {
    last->pending = true;
    return;
  }
  memory_settle(p);
  struct store *s = memory_store_push(p);
  s->plain = s->pending = true;
  s->thread = thread;
  s->at = t->now;
  s->event = NO;
  s->order = t->order;
  memory_access_push(p, (struct access){t->now, p->count - 1, NO, (u8)thread, 3, false});
}

void memory_plain_write(uptr address, size_t n) { memory_places(address, n, plain_store); }

u128 memory_direct(struct op *op, uptr address) {
  u128 old = memory_value(address, op->size), value = half_of(memory_modified(op, old), 1, op->size);
  op->done = op->kind != CAS || old == op->expected;
  if (op->kind == CAS) value = op->operand;
  if (op->kind != LOAD && op->done) to_memory(op, address, value);
  op->result = old;
  return old;
}
