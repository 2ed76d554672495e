/* SPDX-License-Identifier: MIT */
/* The whole public interface, by one thread. */
#include "api.h"
#include "balance.h"
#include "copse.h"
#include "expect.h"
#include "setup.h"
#include "target.h"

static struct model model;

static void start(void) {
  setup_reserve((uint64_t)1 << 36, 2);
  expect(copse_tune_set("huge", 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ops ops = ops_of(data, size);
  struct op op;
  struct model *models[] = {&model};
  start();
  model_clear(&model, 1);
  while (op_next(&ops, &op)) {
    unsigned kind = op.kind % (API_KINDS + 1);
    if (kind == API_TUNE && op.value & 1) op.which = 9; /* limits are worth more than their share */
    /* Never huge pages: once asked for, no cooldown can be told from then on.  Other targets have them. */
    if (kind == API_TUNE && op.which < 248 && op.which % 14 == 10) op.more = op.more % 3 ? 3 + op.more % 3u : 2;
    if (!api_do(&model, &op, kind)) balance_check((const struct model *const *)models, 1, false);
  }
  model_check(&model);
  balance_check((const struct model *const *)models, 1, false);
  if (model.may_fail) api_serve_all(&model);
  balance_end(models, 1);
  return 0;
}
