/* SPDX-License-Identifier: MIT */
/*
 * Producer and consumer: one thread allocates and stamps, the other looks and frees; between them a bounded ring of
 * batches.  The figure is elapsed time by object, from the first allocation to the last free.
 */
#include "alloc.h"
#include "bench.h"
#include "workloads.h"

#include <sched.h>
#include <stdatomic.h>

#define RING  64
#define BATCH 100

static struct { _Alignas(128) struct item items[BATCH]; } * ring;
static _Alignas(128) _Atomic uint64_t produced; /* written by the producer: batches filled */
static _Alignas(128) _Atomic uint64_t consumed; /* written by the consumer: batches emptied */
static _Alignas(128) atomic_bool ended;         /* the producer will fill no more */
static size_t least, most;
static uint64_t ms, measured_from, measured_start, measured_end;

/* There may be fewer cores than threads: after some spinning, let the other run. */
static void pause_for(unsigned *spins) {
  if (++*spins < 200) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  } else {
    sched_yield();
  }
}

static void produce(void) {
  struct random r = random_seeded(4);
  uint64_t at = 0;
  for (unsigned phase = 0; phase < PHASES; phase++) {
    struct timed t = timed_start(phase_ms(phase, ms));
    measured_from = at;
    measured_start = t.start;
    do {
      /* acquire: pairs with the consumer's release of `consumed`; it is done with the batch that stood here */
      for (unsigned spins = 0; at - atomic_load_explicit(&consumed, memory_order_acquire) == RING;) pause_for(&spins);
      struct item *items = ring[at % RING].items;
      for (unsigned i = 0; i < BATCH; i++) {
        size_t size = least == most ? least : random_between(&r, least, most);
        void *p = bench_alloc(size);
        stamp(p, at);
        items[i] = (struct item){p, size};
      }
      /* release: pairs with the consumer's acquire of `produced`; makes the batch visible */
      atomic_store_explicit(&produced, ++at, memory_order_release);
    } while (timed_more(&t, 1));
  }
  /* release: pairs with the acquire of `ended`; no batch comes after those that are visible */
  atomic_store_explicit(&ended, true, memory_order_release);
}

static void consume(void) {
  uint64_t at = 0;
  for (;;) {
    for (unsigned spins = 0; at == atomic_load_explicit(&produced, memory_order_acquire);) {
      if (atomic_load_explicit(&ended, memory_order_acquire) &&
          at == atomic_load_explicit(&produced, memory_order_acquire)) {
        measured_end = now_ns();
        return;
      }
      pause_for(&spins);
    }
    struct item *items = ring[at % RING].items;
    for (unsigned i = 0; i < BATCH; i++) {
      if (stamp_of(items[i].ptr) != at) check(false, "what the producer wrote");
      bench_free(items[i].ptr, items[i].size);
    }
    atomic_store_explicit(&consumed, ++at, memory_order_release);
  }
}

static void body(unsigned index) {
  team_start();
  if (index)
    consume();
  else
    produce();
}

void w_pc(void) {
  least = option("least", 64);
  most = option("most", least);
  ms = option("ms", 300);
  ring = harness_memory(RING * sizeof *ring);
  team_run(2, body);
  result("object", "ns", (double)(measured_end - measured_start) / (double)((produced - measured_from) * BATCH));
}
