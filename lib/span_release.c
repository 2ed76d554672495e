/* SPDX-License-Identifier: MIT */
/* Granules on their way back: detached under the lock, emptied without it, then free. */
#include "span_state.h"
#include "atomic.h"
#include "check.h"
#include "span_run.h"
#include "vm.h"

#define S copse_span_state

void copse_span_detach_locked(struct span_gone_list *list, u64 first, u64 count, u64 length, bool access) {
  u64 end = first + count;
  bool pinned = copse_span_pinned_locked(first, count);
  bool uncommit = access || pinned || copse_run_next_set(S.foreign, first, end) < end;
  copse_run_set(S.flight, first, count);
  if (uncommit) copse_run_clear(S.committed, first, count);
  S.flight_bytes += length;
  must(list->count <= SPAN_CACHE_ENTRIES);
  list->runs[list->count++] = (struct span_gone){first, count, length, uncommit, pinned};
}

static void settle_run(const struct span_gone *gone) {
  u64 first = gone->first, count = gone->count;
  bool taken = gone->uncommit && copse_vm_uncommit(span_address(first), count * GRANULE);
  bool empty = taken || (!gone->pinned && copse_vm_decommit(span_address(first), count * GRANULE) == count * GRANULE);
  copse_lock_acquire(&copse_span_lock);
  if (taken) {
    copse_run_clear(S.foreign, first, count);
    copse_run_clear(S.pinned, first, count);
    copse_run_clear(S.advised, first, count);
  } else if (gone->uncommit) {
    copse_run_set(S.committed, first, count);
  }
  if (empty) copse_run_clear(S.dirty, first, count);
  copse_run_clear(S.flight, first, count);
  copse_run_clear(S.used, first, count);
  S.hint = min_u64(S.hint, first);
  S.flight_bytes -= gone->length;
  copse_vm_uncharge(gone->length);
  copse_lock_release(&copse_span_lock);
}

void copse_span_settle(const struct span_gone_list *list) {
  for (u64 i = 0; i < list->count; i++) settle_run(&list->runs[i]);
}

/* The lowest run, from granule `from` on, that nobody has and that has access. */
static bool find_idle(u64 from, u64 *first, u64 *count) {
  u64 end = load_relaxed(&S.frontier), at = from;
  for (;;) {
    at = copse_run_next_set(S.committed, at, end);
    if (at == end) return false;
    u64 idle = copse_run_next_clear(S.used, at, end);
    if (idle == at) break;
    at = idle;
  }
  *first = at;
  *count = min_u64(copse_run_next_set(S.used, at, end), copse_run_next_clear(S.committed, at, end)) - at;
  return true;
}

u64 copse_span_reclaim(bool access) {
  struct span_gone_list list = {.count = 0};
  copse_lock_acquire(&copse_span_lock);
  u64 bytes = copse_span_cache_empty_locked(&list, access);
  copse_lock_release(&copse_span_lock);
  copse_span_settle(&list);
  u64 first = 0, count = 0;
  for (bool found = access; found; first += count) {
    list.count = 0;
    copse_lock_acquire(&copse_span_lock);
    found = find_idle(first, &first, &count);
    if (found) {
      copse_run_set(S.used, first, count);
      copse_span_detach_locked(&list, first, count, 0, true);
    }
    copse_lock_release(&copse_span_lock);
    copse_span_settle(&list);
  }
  return bytes;
}
