/* SPDX-License-Identifier: MIT */
#include "users.h"
#include "size_class.h"
#include "stats.h"

void *held[MODEL_THREADS][16];
int holds[MODEL_THREADS];
int busy[MODEL_THREADS];
bool at_home;

void users_setup(void) {
  library_setup();
  at_home = false;
  for (int i = 0; i < MODEL_THREADS; i++) holds[i] = busy[i] = 0;
}

void own(int thread, int n, int owner) {
  copse_self_ = &records[thread]->hot;
  for (int i = 0; i < n; i++) {
    void *p = copse_alloc(slot_size);
    check(p && region_of(p) == region_at(records[thread]->arena, class_of_size(slot_size)));
    held[owner][holds[owner]++] = p;
    have_slot_of(owner, p);
  }
}

void free_own(int thread, int n) {
  copse_self_ = &records[thread]->hot;
  while (n--) {
    void *p = held[thread][--holds[thread]];
    lose_slot_of(thread, p);
    copse_free(p, slot_size);
  }
}

/* ---- by the calling thread ---- */

void take(void) {
  int me = model_thread();
  busy[me] = 1;
  void *p = take_slot();
  if (p) {
    /* What is kept apart for a neighbour is not taken from. */
    check(!at_home || region_arena(region_of(p)) == records[me]->arena);
    held[me][holds[me]++] = p;
  }
  busy[me] = 0;
}

void give(void) {
  int me = model_thread();
  if (!holds[me]) return;
  busy[me] = 1;
  give_slot(held[me][--holds[me]]);
  busy[me] = 0;
}

void take_batch(int n) {
  int me = model_thread();
  void *out[16];
  busy[me] = n;
  n = (int)copse_alloc_batch(slot_size, (size_t)n, out);
  for (int i = 0; i < n; i++) {
    have_slot_of(me, out[i]);
    held[me][holds[me]++] = out[i];
  }
  busy[me] = 0;
}

void give_batch(void) {
  int me = model_thread(), n = holds[me];
  busy[me] = n;
  for (int i = 0; i < n; i++) lose_slot_of(me, held[me][i]);
  copse_free_batch(slot_size, (size_t)n, held[me]);
  holds[me] = busy[me] = 0;
}

/* ---- threads ---- */

void idle(void) {}
void take_one(void) {
  become();
  take();
}
void take_two(void) {
  take_one();
  take();
}
void take_give(void) {
  take_one();
  give();
}
void give_one(void) {
  become();
  give();
}
void give_two(void) {
  give_one();
  give();
}
void give_take(void) {
  give_one();
  take();
}
void take_six(void) {
  become();
  take_batch(6);
}
void give_them(void) {
  become();
  give_batch();
}
void flush(void) {
  become();
  copse_thread_flush();
}
void give_flush(void) {
  give_one();
  copse_thread_flush();
}
void leave(void) {
  become();
  copse_cache_detach_owner(records[model_thread()]);
  copse_self_ = &copse_cache_exited.hot;
}
void give_leave(void) {
  give_one();
  leave();
}
void rob(void) {
  become();
  copse_cache_take_spare(records[model_thread()], class_of_size(slot_size), records[0]);
}
void drain(void) {
  become();
  copse_cache_drain(records[model_thread()], class_of_size(slot_size));
}
void trim(void) {
  become();
  copse_trim();
}
void trim_and_ask(void) {
  trim();
  if (copse_trim_pending() == 0) check(copse_cache_count(SMALL) == 0);
}
void checkpoint(void) {
  become();
  copse_checkpoint();
}
void reclaim(void) {
  become();
  copse_trim_reclaim(records[model_thread()]);
}
void count(void) { check(copse_cache_count(SMALL) <= 64); }

static struct copse_stats stats[MODEL_THREADS];
void look(void) {
  struct copse_stats *s = &stats[model_thread()];
  copse_stats_take(s);
  const struct copse_class_stats *c = &s->classes[SMALL];
  check(c->free + c->detached + c->uncommitted + c->lost <= 64 * c->blocks && s->threads <= MODEL_THREADS + 1);
}
