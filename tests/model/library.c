/* SPDX-License-Identifier: MIT */
#include "library.h"
#include "engine.h"
#include "fork.h"
#include "region.h"
#include "span.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { LIVE = 16 };

struct cache *records[MODEL_THREADS];
int refuse_from;
size_t slot_size;
static int protects[MODEL_THREADS]; /* each counts its own */
/* What threads have at the moment; each writes its own. */
static void *live[MODEL_THREADS + 1][LIVE];

/* ---- system calls ---- */

static uptr reserved, reserved_end;

/* Once, outside of executions: what an execution wrote here would be taken back, and the next one would reserve anew.
 */
static void reserve(size_t length) {
  char *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) model_fail("there is no address space for the model");
  reserved = (uptr)p;
  reserved_end = reserved + length;
  shadow_reserve(reserved, length);
}

static void *fake_mmap(void *address, size_t length, int protection, int flags) {
  (void)protection;
  (void)flags;
  if (!address) {
    /* An execution that starts the library anew gets the same. */
    if (reserved_end - reserved < length) {
      errno = ENOMEM;
      return MAP_FAILED;
    }
    return (void *)reserved;
  }
  shadow_zero(now.in_model ? now.current : NO, (uptr)address, length, (uptr)__builtin_return_address(0));
  shadow_close((uptr)address, length);
  return address;
}

static int fake_munmap(void *address, size_t length) {
  (void)address;
  (void)length;
  return 0;
}

static int fake_mprotect(void *address, size_t length, int protection) {
  (void)protection;
  if (now.in_model && now.current != NO && refuse_from) {
    int mine = ++protects[now.current];
    if (refuse_from < 0 ? model_choose(2) : mine >= refuse_from) {
      errno = ENOMEM;
      return -1;
    }
  }
  shadow_open(now.in_model ? now.current : NO, (uptr)address, length);
  return 0;
}

static int fake_madvise(void *address, size_t length, int advice) {
  /* Nobody may have anything there. */
  if (advice == MADV_DONTNEED)
    shadow_zero(now.in_model ? now.current : NO, (uptr)address, length, (uptr)__builtin_return_address(0));
  return 0;
}

static void *fake_mremap(void *from, size_t old_length, size_t new_length, int flags, void *to) {
  (void)from, (void)old_length, (void)new_length, (void)flags, (void)to;
  errno = ENOMEM;
  return MAP_FAILED;
}

static const struct vm_calls fake = {fake_mmap, fake_munmap, fake_mprotect, fake_madvise, fake_mremap};

/* ---- up ---- */

static void each_its_own(void) {
  model_thread_local(&copse_self_, sizeof copse_self_);
  model_thread_local(&copse_fork_under_way, sizeof copse_fork_under_way);
  model_thread_local(&copse_frees_direct, sizeof copse_frees_direct);
}

/* With room for an alignment of as much as it is, or of 1 GB. */
static void before_start(u64 bytes) {
  const u64 least = (u64)1 << 30;
  reserve(bytes + (bytes > least ? bytes : least));
  copse_vm = &fake;
  copse_tunables.reserve = bytes;
  copse_tunables.huge = 0;
  copse_tunables.depth_1k = 4;
  copse_tunables.depth_8k = 4;
  copse_tunables.recycler = 1;
  copse_tunables.growth_min = 4096;
  copse_tunables.growth_max = 4096;
  each_its_own();
}

void library_before_start(void) { before_start((u64)ARENA_REGIONS << REGION_BITS_MIN); }

static void up(void) {
  if (!copse_start()) model_fail("the library does not come up");
  for (int t = 0; t < MODEL_THREADS; t++) records[t] = copse_cache_attach();
  each_its_own();
}

void library_up(void) {
  library_before_start();
  up();
}

/* The least that several arenas take; records 0 and 2 are in arena 0, the others in arena 1. */
static void two_arenas(void) {
  before_start((u64)(CLASS_REGIONS + OTHER_REGIONS) << REGION_BITS_MIN_ARENAS);
  copse_tunables.arenas = 2;
}

void library_up_arenas(void) {
  two_arenas();
  up();
  if (copse_pools_arenas() != 2) model_fail("there are not two arenas");
}

void library_up_first_arena(void) {
  two_arenas();
  if (!copse_start()) model_fail("the library does not come up");
  records[0] = copse_cache_attach();
  each_its_own();
  if (copse_pools_arenas() != 1) model_fail("there is not one arena");
}

void library_setup(void) {
  /* in_use alone decides something, against the limit. */
  const char *counters = (const char *)&copse_vm_counters;
  model_commute(counters, offsetof(struct vm_counters, in_use));
  model_commute(counters + offsetof(struct vm_counters, huge_1g),
                sizeof copse_vm_counters - offsetof(struct vm_counters, huge_1g));
  model_commute(&copse_region_own_bytes, sizeof copse_region_own_bytes);
  memset(protects, 0, sizeof protects);
  refuse_from = 0;
  slot_size = SMALL_SIZE;
}

void become(void) {
  int me = model_thread();
  copse_self_ = me < 0 ? &records[0]->hot : &records[me]->hot;
}

/* ---- slots ---- */

void have_slot_of(int thread, void *p) {
  void **mine = live[thread];
  int i = 0;
  while (i < LIVE && mine[i]) i++;
  check(i < LIVE);
  mine[i] = p;
  *(void **)p = p;
}

void lose_slot_of(int thread, void *p) {
  void **mine = live[thread];
  int i = 0;
  while (i < LIVE && mine[i] != p) i++;
  check(i < LIVE);
  mine[i] = NULL;
  check(*(void **)p == p);
  *(void **)p = NULL;
}

static void keep(void *p) { have_slot_of(model_thread() < 0 ? MODEL_THREADS : model_thread(), p); }
static void drop(void *p) { lose_slot_of(model_thread() < 0 ? MODEL_THREADS : model_thread(), p); }

void *take_slot(void) {
  void *p = copse_alloc(slot_size);
  if (p) keep(p);
  return p;
}

void give_slot(void *p) {
  drop(p);
  copse_free(p, slot_size);
}

void post(struct mail *m, void *p) {
  if (p) drop(p);
  __atomic_store_n(&m->p, p, __ATOMIC_RELEASE);
}

void *collect(struct mail *m) {
  void *p = __atomic_exchange_n(&m->p, NULL, __ATOMIC_ACQUIRE);
  if (p) keep(p);
  return p;
}

/* ---- final checks ---- */

enum { SLOTS = 1024 };
static u8 seen[SLOTS];

static void see(unsigned region, const void *p) {
  struct pool *pool = &copse_pools[region];
  if (region_of(p) != region) return;
  u64 slot = pool_slot(pool, p);
  check(pool_address(pool, slot) == p);
  check(slot < pool->frontier && slot < SLOTS);
  check(!seen[slot]);
  seen[slot] = 1;
}

static void see_bundle(unsigned region, const struct bundle *b, u64 count) {
  check(count <= bundle_depth(b));
  for (u64 i = 0; i < count; i++) see(region, b->bottom[i]);
}

static void see_record(unsigned region, const struct cache *c) {
  for (unsigned place = 0; place < places(); place++) {
    void **top = c->hot.top[place];
    if (!top_is_open(top)) continue;
    check(c->taken); /* who left one left nothing in it */
    see_bundle(region, bundle_of(top), bundle_count(bundle_of(top), top));
  }
  for (unsigned k = 0; k < CLASSES; k++)
    if (c->spare[k]) see_bundle(region, spare_bundle(c->spare[k]), c->spare[k] & SPARE_COUNT);
}

u64 slots_nowhere(unsigned region) {
  struct pool *pool = &copse_pools[region];
  memset(seen, 0, sizeof seen);
  for (int t = 0; t <= MODEL_THREADS; t++)
    for (int i = 0; i < LIVE; i++)
      if (live[t][i]) see(region, live[t][i]);
  for (struct cache *c = copse_cache_first(); c; c = c->next) see_record(region, c);
  for (struct pool *p = copse_pools; p < pools_end(); p = pool_after(p)) {
    u64 word = copse_recyclers[p->region].head.low, in = word & RECYCLER_COUNT;
    for (struct bundle *b = (struct bundle *)(word & ~RECYCLER_COUNT); b; b = b->next, in--)
      see_bundle(region, b, bundle_depth(b));
    check(in == 0);
  }
  u64 nowhere = 0;
  check(pool->frontier <= SLOTS && pool->detached == 0);
  for (u64 slot = 0; slot < pool->frontier; slot++) {
    bool free = *pool_word(pool, slot >> 6) >> (slot & 63) & 1;
    check(!(free && seen[slot]));
    if (!free && !seen[slot]) nowhere++;
  }
  nowhere += 64 * pool_blocks(pool) - pool->frontier;
  check(copse_pool_valid(pool));
  check(nowhere >= pool->uncommitted + pool->lost);
  return nowhere - pool->uncommitted - pool->lost;
}

void recyclers_at_home(unsigned class) {
  for (unsigned arena = 0; arena < copse_regions.arenas; arena++) {
    u64 region = region_at(arena, class), word = copse_recyclers[region].head.low;
    for (struct bundle *b = (struct bundle *)(word & ~RECYCLER_COUNT); b; b = b->next)
      for (u64 i = 0; i < bundle_depth(b); i++) check(region_of(b->bottom[i]) == region);
  }
}

void conserved_but(unsigned region, u64 missing) {
  check(copse_pools[region].lost == 0);
  check(slots_nowhere(region) == missing);
}

void conserved(unsigned region) { conserved_but(region, 0); }
