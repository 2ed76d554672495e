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

/* Returns the bytes whose pages are gone: those that were charged, or of what was free before those that may have had any. */
static u64 settle_run(const struct span_gone *gone) {
  u64 first = gone->first, count = gone->count;
  bool taken = gone->uncommit && copse_vm_uncommit_uncounted(span_address(first), count * GRANULE);
  bool empty = taken || (!gone->pinned && copse_vm_decommit_uncounted(span_address(first), count * GRANULE) == count * GRANULE);
  copse_lock_acquire(&copse_span_lock);
  u64 bytes = gone->length ? gone->length : copse_run_count(S.dirty, first, count) * GRANULE;
  if (taken) {
    copse_run_clear(S.foreign, first, count);
    copse_run_clear(S.pinned, first, count);
    copse_run_clear(S.advised, first, count);
  } else if (gone->uncommit) {
    copse_run_set(S.committed, first, count);
  }
  if (empty) {
    copse_run_clear(S.dirty, first, count);
    /* Of whole granules only this part, which is what a trim says that it gave back. */
    add_relaxed(&copse_vm_counters.decommitted, bytes);
  } else {
    S.refused = true;
  }
  copse_run_clear(S.flight, first, count);
  copse_run_clear(S.used, first, count);
  S.hint = min_u64(S.hint, first);
  S.flight_bytes -= gone->length;
  copse_vm_uncharge(gone->length);
  copse_lock_release(&copse_span_lock);
  return empty ? bytes : 0;
}

u64 copse_span_settle(const struct span_gone_list *list) {
  u64 bytes = 0;
  for (u64 i = 0; i < list->count; i++) bytes += settle_run(&list->runs[i]);
  return bytes;
}

/* The lowest run, from granule `from` on, that nobody has, that has access, and of which `what` holds. */
static bool find_idle(const u64 *what, u64 from, u64 *first, u64 *count) {
  u64 end = load_relaxed(&S.frontier), at = from;
  for (u64 next;; at = next) {
    at = copse_run_next_set(S.committed, at, end);
    if (at == end) return false;
    next = copse_run_next_set(what, at, end);
    if (next == at) next = copse_run_next_clear(S.used, at, end);
    if (next == at) break;
  }
  *first = at;
  end = min_u64(copse_run_next_clear(S.committed, at, end), copse_run_next_clear(what, at, end));
  *count = copse_run_next_set(S.used, at, end) - at;
  return true;
}

u64 copse_span_reclaim(bool access) {
  struct span_gone_list list = {.count = 0};
  copse_lock_acquire(&copse_span_lock);
  copse_span_cache_empty_locked(&list, access);
  bool found = access || S.refused;
  S.refused = false;
  copse_lock_release(&copse_span_lock);
  u64 bytes = copse_span_settle(&list), first = 0, count = 0;
  for (; found; first += count) {
    list.count = 0;
    copse_lock_acquire(&copse_span_lock);
    found = find_idle(access ? S.committed : S.dirty, first, &first, &count);
    if (found) {
      copse_run_set(S.used, first, count);
      copse_span_detach_locked(&list, first, count, 0, access);
    }
    copse_lock_release(&copse_span_lock);
    bytes += copse_span_settle(&list);
  }
  return bytes;
}
