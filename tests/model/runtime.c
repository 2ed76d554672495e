/* SPDX-License-Identifier: MIT */
/*
 * What the code under test calls: the interface of the thread sanitizer's runtime, which compilers know, and which
 * -fsanitize=thread makes them call at each access.  Plain accesses are looked at and happen behind; atomic ones happen
 * here.
 */
#include "engine.h"
#include <string.h>

#define PC ((uptr)__builtin_return_address(0) - 1)

static void plain(const void *p, size_t n, bool write, uptr pc) {
  if (!now.in_model || !n) return;
  uptr address = (uptr)p;
  if (now.current == NO) {
    if (!write || fibre_owns(T, address) || fibre_local(address)) return;
    undo_note(address, n);
    shadow_touch(address);
    return;
  }
  if (fibre_owns(now.current, address) || fibre_local(address)) return;
  if (write) search_may_stop(pc);
  shadow_access(now.current, address, n, write, false, pc);
  if (!write) return;
  undo_note(address, n);
  memory_plain_write(address, n);
}

/* Of a mutant: a read-modify-write that others can come between. */
static u128 in_two(struct op *op) {
  struct op load = *op, store = *op;
  load.kind = LOAD;
  search_visible(&load);
  op->result = load.result;
  op->done = op->kind != CAS || load.result == op->expected;
  if (!op->done) return op->result;
  store.kind = STORE;
  if (op->kind != CAS) store.operand = memory_modified(op, load.result);
  search_visible(&store);
  return op->result;
}

static u128 atomic(struct op *op, uptr address) {
  enum change change = AS_IT_IS;
  op->done = true;
  if (now.in_model && now.current != NO) {
    change = sites_atomic(op->pc, op->kind, &op->order, &op->failure);
    op->place = memory_place(address, op->size, &op->half);
  }
  if (change == LEFT_OUT) {
    if (op->kind == STORE) return 0;
    op->kind = LOAD;
  }
  if (!now.in_model || now.current == NO || op->place->commutes) return memory_direct(op, address);
  search_may_stop(op->pc);
  struct op fence = {.kind = FENCE, .half = 3, .pc = op->pc};
  bool ordered = op->order == SEQ_CST || (op->kind == CAS && op->failure == SEQ_CST);
  if (ordered) {
    fence.place = memory_fence_place();
    search_visible(&fence);
  }
  if (change == IN_TWO)
    in_two(op);
  else
    search_visible(op);
  if (ordered && op->kind != LOAD) search_visible(&fence);
  return op->result;
}

#define PLAIN(n)                                                                                                       \
  void __tsan_read##n(void *p) { plain(p, n, false, PC); }                                                             \
  void __tsan_write##n(void *p) { plain(p, n, true, PC); }                                                             \
  void __tsan_read_write##n(void *p) { plain(p, n, true, PC); }                                                        \
  void __tsan_unaligned_read##n(void *p) { plain(p, n, false, PC); }                                                   \
  void __tsan_unaligned_write##n(void *p) { plain(p, n, true, PC); }                                                   \
  void __tsan_unaligned_read_write##n(void *p) { plain(p, n, true, PC); }                                              \
  void __tsan_volatile_read##n(void *p) { plain(p, n, false, PC); }                                                    \
  void __tsan_volatile_write##n(void *p) { plain(p, n, true, PC); }

#define DECLARE(n)                                                                                                     \
  void __tsan_read##n(void *);                                                                                         \
  void __tsan_write##n(void *);                                                                                        \
  void __tsan_read_write##n(void *);                                                                                   \
  void __tsan_unaligned_read##n(void *);                                                                               \
  void __tsan_unaligned_write##n(void *);                                                                              \
  void __tsan_unaligned_read_write##n(void *);                                                                         \
  void __tsan_volatile_read##n(void *);                                                                                \
  void __tsan_volatile_write##n(void *);

#define FETCH(bits, type, name, which)                                                                                 \
  type __tsan_atomic##bits##_##name(volatile type *, type, int);                                                       \
  type __tsan_atomic##bits##_##name(volatile type *p, type v, int order) {                                             \
    struct op op = {.kind = which, .size = bits / 8, .order = order, .operand = (u128)v, .pc = PC};                    \
    return (type)atomic(&op, (uptr)p);                                                                                 \
  }

#define ATOMIC(bits, type)                                                                                             \
  type __tsan_atomic##bits##_load(const volatile type *, int);                                                         \
  void __tsan_atomic##bits##_store(volatile type *, type, int);                                                        \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type *, type *, type, int, int);                          \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type *, type *, type, int, int);                            \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type *, type, type, int, int);                              \
  type __tsan_atomic##bits##_load(const volatile type *p, int order) {                                                 \
    struct op op = {.kind = LOAD, .size = bits / 8, .order = order, .pc = PC};                                         \
    return (type)atomic(&op, (uptr)p);                                                                                 \
  }                                                                                                                    \
  void __tsan_atomic##bits##_store(volatile type *p, type v, int order) {                                              \
    struct op op = {.kind = STORE, .size = bits / 8, .order = order, .operand = (u128)v, .pc = PC};                    \
    atomic(&op, (uptr)p);                                                                                              \
  }                                                                                                                    \
  FETCH(bits, type, exchange, EXCHANGE)                                                                                \
  FETCH(bits, type, fetch_add, ADD)                                                                                    \
  FETCH(bits, type, fetch_sub, SUB)                                                                                    \
  FETCH(bits, type, fetch_and, AND)                                                                                    \
  FETCH(bits, type, fetch_or, OR)                                                                                      \
  FETCH(bits, type, fetch_xor, XOR)                                                                                    \
  FETCH(bits, type, fetch_nand, NAND)                                                                                  \
  static int cas##bits(volatile type *p, type *expected, type v, int order, int failure, bool weak, uptr pc) {         \
    struct op op = {.kind = CAS,                                                                                       \
                    .size = bits / 8,                                                                                  \
                    .order = order,                                                                                    \
                    .failure = failure,                                                                                \
                    .operand = (u128)v,                                                                                \
                    .expected = (u128)*expected,                                                                       \
                    .weak = weak,                                                                                      \
                    .pc = pc};                                                                                         \
    type seen = (type)atomic(&op, (uptr)p);                                                                            \
    if (!op.done) *expected = seen;                                                                                    \
    return op.done;                                                                                                    \
  }                                                                                                                    \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *expected, type v, int order,               \
                                                    int failure) {                                                     \
    return cas##bits(p, expected, v, order, failure, false, PC);                                                       \
  }                                                                                                                    \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *expected, type v, int order, int failure) {  \
    return cas##bits(p, expected, v, order, failure, true, PC);                                                        \
  }                                                                                                                    \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type v, int order, int failure) {   \
    cas##bits(p, &expected, v, order, failure, false, PC);                                                             \
    return expected;                                                                                                   \
  }

DECLARE(1)
DECLARE(2)
DECLARE(4)
DECLARE(8)
DECLARE(16)
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
ATOMIC(8, u8)
ATOMIC(16, u16)
ATOMIC(32, u32)
ATOMIC(64, u64)
ATOMIC(128, u128)

void __tsan_init(void);
void __tsan_func_entry(void *);
void __tsan_func_exit(void);
void __tsan_read_range(void *, uptr);
void __tsan_write_range(void *, uptr);
void __tsan_atomic_thread_fence(int);
void __tsan_atomic_signal_fence(int);
void *model_memcpy(void *, const void *, size_t);
void *model_memmove(void *, const void *, size_t);
void *model_memset(void *, int, size_t);
void *__tsan_memcpy(void *, const void *, size_t);
void *__tsan_memmove(void *, const void *, size_t);
void *__tsan_memset(void *, int, size_t);

void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { sites_enter((uptr)caller - 1); }
void __tsan_func_exit(void) {}
void __tsan_read_range(void *p, uptr n) { plain(p, n, false, PC); }
void __tsan_write_range(void *p, uptr n) { plain(p, n, true, PC); }
void __tsan_atomic_signal_fence(int order) { (void)order; }

void __tsan_atomic_thread_fence(int order) {
  if (!now.in_model || now.current == NO) return;
  if (sites_atomic(PC, FENCE, &order, NULL) == LEFT_OUT) return;
  if (order == SEQ_CST) {
    struct op fence = {.kind = FENCE, .half = 3, .place = memory_fence_place(), .pc = PC};
    search_visible(&fence);
  } else {
    memory_fence(now.current, order);
  }
}

/* The code under test is compiled with these names for the C library's. */
void *model_memcpy(void *to, const void *from, size_t n) {
  plain(from, n, false, PC);
  plain(to, n, true, PC);
  return memcpy(to, from, n);
}
void *model_memmove(void *to, const void *from, size_t n) {
  plain(from, n, false, PC);
  plain(to, n, true, PC);
  return memmove(to, from, n);
}
void *model_memset(void *to, int c, size_t n) {
  plain(to, n, true, PC);
  return memset(to, c, n);
}
void *__tsan_memcpy(void *to, const void *from, size_t n) {
  plain(from, n, false, PC);
  plain(to, n, true, PC);
  return memcpy(to, from, n);
}
void *__tsan_memmove(void *to, const void *from, size_t n) {
  plain(from, n, false, PC);
  plain(to, n, true, PC);
  return memmove(to, from, n);
}
void *__tsan_memset(void *to, int c, size_t n) {
  plain(to, n, true, PC);
  return memset(to, c, n);
}

/* ---- for scenarios ---- */

int model_thread(void) { return now.current; }

unsigned model_choose(unsigned n) {
  if (now.current == NO) model_fail("only threads choose");
  if (n < 2) return 0;
  struct op op = {.kind = CHOOSE, .operand = n, .pc = PC};
  search_visible(&op);
  return (unsigned)op.result;
}

bool model_cas_weak(int *p, int *expected, int v) {
  return cas32((volatile u32 *)p, (u32 *)expected, (u32)v, RELAXED, RELAXED, true, PC);
}

void model_unmap(const void *p, size_t n) { shadow_unmap(now.current, (uptr)p, n, PC); }

void model_commute(const void *p, size_t n) { memory_commute((uptr)p, n); }

struct moment model_moment(void) {
  struct moment m = {.thread = now.current};
  if (now.current == NO) return m;
  struct thread *t = &now.thread[now.current];
  m.at = t->now;
  memcpy(m.seen, t->hb.at, sizeof m.seen);
  return m;
}

bool model_before(const struct moment *a, const struct moment *b) {
  if (a->thread == b->thread) return a->at <= b->at;
  /* What `a` had done, its event a->at - 1, is known to b. */
  return a->at - 1 <= b->seen[a->thread];
}
