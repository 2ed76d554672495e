/* SPDX-License-Identifier: MIT */
/*
 * Random sizes with frees by another thread, as in the rpmalloc benchmark's mode of random sizes with linear falloff:
 * each thread holds `blocks` objects, replaces a random tenth of them in a round, and in every `cross`th round sends
 * as many to its neighbour, which frees them.
 */
#include "alloc.h"
#include "bench.h"
#include "mail.h"
#include "workloads.h"

static size_t blocks, least, most;
static uint64_t ms, cross;
static unsigned threads;
static struct mailbox *boxes;

/* The density falls linearly from `least` to none at `most`: the lesser of two uniform draws. */
static inlined size_t draw(struct random *r) {
  size_t a = random_between(r, least, most), b = random_between(r, least, most);
  return a < b ? a : b;
}

static inlined void fill(struct item *item, struct random *r) {
  item->size = draw(r);
  stamp(item->ptr = bench_alloc(item->size), item->size);
}

static uint64_t one_round(struct item *items, struct random *r, struct mail *mail, uint64_t number) {
  size_t tenth = blocks / 10;
  uint64_t ops = 0;
  for (size_t i = 0; i < tenth; i++) {
    struct item *item = &items[random_below(r, blocks)];
    bench_free(item->ptr, item->size);
    fill(item, r);
  }
  ops += tenth;
  if (number % cross) return ops;
  mail_receive(mail);
  struct parcel *p = mail_parcel(mail);
  if (!p) return ops;
  for (p->count = 0; p->count < tenth && p->count < PARCEL_ITEMS; p->count++) {
    struct item *item = &items[random_below(r, blocks)];
    p->items[p->count] = *item;
    fill(item, r);
  }
  ops += p->count;
  mail_send(mail, p);
  return ops;
}

static void body(unsigned index) {
  struct random r = random_seeded(200 + index);
  struct item *items = harness_memory(blocks * sizeof *items);
  struct mail mail = mail_open(boxes, index, threads);
  struct timed t = {0};
  uint64_t number = 0;
  for (size_t i = 0; i < blocks; i++) fill(&items[i], &r);
  team_start();
  for (unsigned phase = 0; phase < PHASES; phase++) {
    t = timed_start(phase_ms(phase, ms));
    while (timed_more(&t, one_round(items, &r, &mail, number++))) {
    }
  }
  team_finish(index, &t);
  mail_receive(&mail);
  for (size_t i = 0; i < blocks; i++) check(stamp_of(items[i].ptr) == items[i].size, "what a thread wrote");
  for (size_t i = 0; i < blocks; i++) bench_free(items[i].ptr, items[i].size);
}

void w_rptest(void) {
  blocks = option("blocks", 1000);
  least = option("least", 16);
  most = option("most", 16000);
  cross = option("cross", 2);
  ms = option("ms", 300);
  threads = (unsigned)option("threads", 1);
  check(blocks >= 10 && cross > 0, "blocks= is at least 10 and cross= at least 1");
  boxes = mailboxes_new(threads);
  team_run(threads, body);
  result("replace", "ns", team_ns_per_op());
}
