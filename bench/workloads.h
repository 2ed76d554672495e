/* SPDX-License-Identifier: MIT */
/*
 * The workloads: one a file, w_<name>.c.  Each reads its options, runs, checks what it wrote and states its results.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

/* name, what it does */
#define WORKLOADS(X)                                                                                                   \
  X(pair, "allocate, touch, free: one size")                                                                           \
  X(empty, "two calls that do nothing: what no allocator that is called can be faster than")                             \
  X(batch, "allocate a batch, free it in order, reversed or at random")                                                \
  X(churn, "replace random objects of a working set")                                                                  \
  X(cold, "free in random order what is in no cache, and allocate as much again")                                      \
  X(pc, "one thread allocates, another frees")                                                                         \
  X(larson, "threads inherit their objects from threads that ended")                                                   \
  X(xmalloc, "threads allocate batches, other threads free them, through one locked list")                             \
  X(simple, "short rows of one size, in order")                                                                        \
  X(sh6, "batches by ascending size, some objects kept")                                                               \
  X(sh8, "batches of random sizes, half of each freed by a neighbour")                                                 \
  X(rptest, "random sizes, some freed by another thread")                                                              \
  X(latency, "each operation's time under churn")                                                                      \
  X(large, "objects of many pages, touched")                                                                           \
  X(realloc, "one object grows")                                                                                       \
  X(fresh, "memory that was never used, filled")                                                                       \
  X(resident, "memory that stays after freeing and after trimming")

#define DECLARE(name, text) void w_##name(void);
WORKLOADS(DECLARE)
#undef DECLARE

/* Prints which allocator serves this process; identify.c. */
void identify(void);

#endif
