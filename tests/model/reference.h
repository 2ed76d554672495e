/* SPDX-License-Identifier: MIT */
/*
 * A Treiber stack as small as it can be, for the checker's own tests: {pointer and count, generation}, read as one
 * 16-byte word or as two halves.  Each fault that it can be built with is a member of `stack_fault`.
 */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "model.h"

struct item {
  struct item *next;
  int payload;
} __attribute__((aligned(64)));

typedef unsigned __int128 word128 __attribute__((aligned(16)));

struct stack_fault {
  bool torn; /* no fault: the head is read as two halves */
  bool no_generation, push_relaxed, link_in_slot;
  bool pop_relaxed; /* its first load alone */
};
extern struct stack_fault stack_fault;
extern word128 stack_head;

static inline word128 stack_word(struct item *top, uint64_t count, uint64_t generation) {
  return (word128)generation << 64 | ((uintptr_t)top | count);
}
static inline struct item *stack_top(word128 w) { return (struct item *)((uint64_t)w & ~(uint64_t)63); }
static inline uint64_t stack_count(word128 w) { return (uint64_t)w & 63; }

static inline word128 stack_read(int order) {
  if (!stack_fault.torn) return __atomic_load_n(&stack_head, order);
  uint64_t *half = (uint64_t *)&stack_head;
  word128 high = __atomic_load_n(half + 1, __ATOMIC_ACQUIRE);
  return high << 64 | __atomic_load_n(half, order);
}

static inline void stack_push(struct item *item) {
  word128 head = stack_read(__ATOMIC_RELAXED), next;
  int order = stack_fault.push_relaxed ? __ATOMIC_RELAXED : __ATOMIC_RELEASE;
  do {
    if (stack_fault.link_in_slot)
      item->next = stack_top(head);
    else
      __atomic_store_n(&item->next, stack_top(head), __ATOMIC_RELAXED);
    next = stack_word(item, stack_count(head) + 1, (uint64_t)(head >> 64) + !stack_fault.no_generation);
  } while (!__atomic_compare_exchange_n(&stack_head, &head, next, false, order, __ATOMIC_RELAXED));
}

static inline struct item *stack_pop(void) {
  int order = stack_fault.pop_relaxed ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE;
  word128 head = stack_read(order), next;
  struct item *top;
  do {
    top = stack_top(head);
    if (!top) return NULL;
    struct item *below = stack_fault.link_in_slot ? top->next : __atomic_load_n(&top->next, __ATOMIC_RELAXED);
    next = stack_word(below, stack_count(head) - 1, (uint64_t)(head >> 64));
  } while (!__atomic_compare_exchange_n(&stack_head, &head, next, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  return top;
}

#endif
