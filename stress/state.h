/* SPDX-License-Identifier: MIT */
/* Between the files of the harness: what the command line said, and what is shared by all processes of a run. */
#ifndef COPSE_STRESS_STATE_H
#define COPSE_STRESS_STATE_H

#include "stress.h"
#include <time.h>

enum { FIGURES = 12 };
struct totals {
  uint64_t made, freed, refused, balances;
  struct {
    const char *name;
    uint64_t n;
    uint32_t most, used;
  } figure[FIGURES];
  struct {
    char part[80], why[120];
  } skipped[4];
  uint32_t skips, planted;
};
struct state {
  const char *program, *plant;
  uint64_t seed;
  double seconds;
  unsigned limit, rounds, round; /* rounds: 0: as many as there is time for */
  struct totals *totals;         /* shared by all processes */
};
extern struct state stress_state;
extern struct hand stress_hands[HANDS];

/* Once a run: whether this fault is asked for and not planted yet. */
bool plant_now(const char *plant);
/* Signals that preempt the calling thread, from begin to end.  false: none.  What they were is added to the figures. */
bool preempt_begin(struct hand *hand, timer_t *timer);
void preempt_end(timer_t timer);
void preempt_count(void);

/* Threads' random numbers of this round. */
void hands_seed(uint64_t round_seed);
/* What the hands counted is added to the totals. */
void hands_count(void);
static inline uint64_t mix(uint64_t x) {
  /* splitmix64 of G. Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014. */
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

#endif
