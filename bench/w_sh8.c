/* SPDX-License-Identifier: MIT */
/*
 * After the pattern known as sh8: batches of random sizes, small ones by far the likeliest; half of a batch, picked at
 * random, goes to a neighbour thread that frees it, the rest is freed here in a disturbed order.
 */
#include "alloc.h"
#include "bench.h"
#include "mail.h"
#include "workloads.h"

#define BATCH 512

static uint64_t ms;
static unsigned threads;
static struct mailbox *boxes;

/* Each doubling of the size is half as likely: 16-31 in half of the draws, up to 2 KB. */
static inlined size_t draw(struct random *r) {
  uint64_t bits = random_next(r);
  size_t power = (size_t)16 << __builtin_ctzll((bits & 63) | 64);
  return power + ((bits >> 32) & (power - 1));
}

static uint64_t one_batch(struct item *items, struct random *r, struct mail *mail) {
  for (unsigned i = 0; i < BATCH; i++) {
    items[i].size = draw(r);
    stamp(items[i].ptr = bench_alloc(items[i].size), items[i].size);
  }
  for (unsigned i = 0; i < BATCH; i += 4) { /* disturbed, not shuffled: every fourth changes its place */
    unsigned j = (unsigned)random_below(r, BATCH);
    struct item t = items[i];
    items[i] = items[j];
    items[j] = t;
  }
  mail_receive(mail);
  unsigned from = 0;
  struct parcel *p = mail_parcel(mail);
  if (p) {
    for (; from < BATCH / 2; from++) p->items[from] = items[from];
    p->count = from;
    mail_send(mail, p);
  }
  for (unsigned i = from; i < BATCH; i++) {
    if (stamp_of(items[i].ptr) != items[i].size) check(false, "what a batch wrote");
    bench_free(items[i].ptr, items[i].size);
  }
  return BATCH;
}

static void body(unsigned index) {
  struct random r = random_seeded(300 + index);
  struct item *items = harness_memory(BATCH * sizeof *items);
  struct mail mail = mail_open(boxes, index, threads);
  struct timed t = {0};
  team_start();
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    while (timed_more(&t, one_batch(items, &r, &mail))) {
    }
  }
  team_finish(index, &t);
  mail_receive(&mail);
}

void w_sh8(void) {
  ms = option("ms", 300);
  threads = (unsigned)option("threads", 1);
  boxes = mailboxes_new(threads);
  team_run(threads, body);
  result("object", "ns", team_ns_per_op());
}
