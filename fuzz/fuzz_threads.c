/* SPDX-License-Identifier: MIT */
/*
 * The public interface by a pool of threads that stay: the input says which of them does what, and one at a time does it, so that
 * a finding replays: from its input, or, where pools that stay from one input to the next have a part in it, from the run's seed and
 * corpus.  All share one model: what one allocates any other frees.
 */
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "crew.h"
#include "expect.h"
#include "setup.h"
#include "target.h"

static struct model model;

struct task {
  struct op op;
  unsigned kind;
};

static void work(void *argument) {
  const struct task *task = argument;
  api_do(&model, &task->op, task->kind);
}

static void flush(void *argument) {
  (void)argument;
  copse_thread_flush();
}

static void checkpoint(void *argument) {
  (void)argument;
  copse_checkpoint();
}

/* All threads give up what they have cached: each by itself, or because a trim has asked them to. */
static void empty_all(bool asked) {
  if (asked) copse_trim();
  for (unsigned i = 0; i < CREW; i++) crew_do(i, asked ? checkpoint : flush, NULL);
  if (asked) expect(copse_trim_pending() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct task task;
  struct model *models[] = {&model};
  const struct model *const *seen = (const struct model *const *)models;
  setup_reserve((uint64_t)1 << 36, 3);
  model_clear(&model, 1);
  while (op_next(&ops, &task.op)) {
    /* The last kind but one asks for all that other threads hold. */
    task.kind = task.op.kind % (API_KINDS + 2);
    /* Caches of other threads make the cooldown's arithmetic another. */
    if (task.kind == API_COOLDOWN) task.kind = API_FREE_MANY;
    if (task.kind == API_KINDS) {
      copse_trim();
      expect(copse_trim_pending() <= CREW);
    } else if (task.kind > API_KINDS) {
      balance_check(seen, 1, false);
    } else {
      crew_do(op_thread(&task.op, CREW), work, &task);
    }
  }
  model_check(&model);
  balance_check(seen, 1, false);
  empty_all(size / OP_BYTES % 2);
  balance_end(models, 1);
  return 0;
}
