/* SPDX-License-Identifier: MIT */
/*
 * Fork's child: the first thread goes on alone, and the others were left somewhere.  Where is a choice that each makes
 * before each operation, to go on or to stop for ever; and the first one waits until all others have stopped or ended.
 * So its view is of any prefix of each, but for those that leave it a mutex to wait for.
 */
#include "search.h"

static bool survived; /* it is alone now */

void alone_start(void) { survived = false; }

void search_may_stop(uptr pc) {
  if (!model_current.forks || survived || now.current == 0) return;
  struct op choice = {.kind = CHOOSE, .operand = 2, .pc = pc}, stop = {.kind = STOP, .pc = pc};
  search_visible(&choice);
  if (!choice.result) return;
  now.thread[now.current].stopped = true;
  search_visible(&stop);
}

void model_survive(void) {
  struct op op = {.kind = SURVIVE, .pc = (uptr)__builtin_return_address(0) - 1};
  search_visible(&op);
  survived = true;
}

bool alone_now(int thread) {
  for (int t = 0; t < now.threads; t++)
    if (t != thread && !now.thread[t].finished && !now.thread[t].stopped) return false;
  return true;
}

/* A thread that waits for the one that forks is as good as one that stopped before, which is tried apart; and one that
 * stopped where the one that forks needs its mutex would have gone on. */
bool alone_ahead(void) {
  if (!model_current.forks || survived) return false;
  for (int t = 1; t < now.threads; t++)
    if (now.thread[t].stopped) return true;
  return now.thread[0].op && now.thread[0].op->kind == SURVIVE;
}
