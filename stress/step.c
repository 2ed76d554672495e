/* SPDX-License-Identifier: MIT */
/*
 * One thread is stopped at each instruction of the slow path, by ptrace, one at a time: at each that is outside a pool's lock the
 * others must end a bounded piece of work in bounded time.  It goes through the first call of a thread, growth, refill, spill and
 * exchange, flush, zeroed memory, spans, trim, what comes before memory is said to be out, and the end of the thread.
 * Besides: no instruction under a pool's lock is a system call.
 * An address is stopped at a few times, by --seconds; 2 to 60.
 */
#include "tracer.h"
#include "state.h"
#include "vm.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ARENAS = 4, ADDRESSES = 1 << 16 };

/* ---- faults to be planted ---- */

static pthread_mutex_t planted = PTHREAD_MUTEX_INITIALIZER;
static struct vm_calls planted_calls;
static void planted_lock(bool take) {
  /* "lock": one of the test's own over a system call; "call": a pool's. */
  if (stress_planted("call")) take ? copse_lock_acquire(&copse_pools[CLASSES - 3].lock) : copse_lock_release(&copse_pools[CLASSES - 3].lock);
  else take ? pthread_mutex_lock(&planted) : pthread_mutex_unlock(&planted);
}
static int planted_madvise(void *address, size_t length, int advice) {
  planted_lock(true);
  int done = copse_vm_system.madvise(address, length, advice);
  planted_lock(false);
  return done;
}
static int planted_mprotect(void *address, size_t length, int protection) {
  planted_lock(true);
  int done = copse_vm_system.mprotect(address, length, protection);
  planted_lock(false);
  return done;
}

static void setup(void) {
  require(copse_tune_set("arenas", ARENAS) == 0 && copse_tune_set("recycler", 1) == 0);
  require(copse_tune_set("growth_min", 4096) == 0 && copse_tune_set("growth_max", 4096) == 0 && copse_tune_set("span_cache", 0) == 0);
  copse_free(copse_alloc(1), 1);
  if (!stress_planted("lock") && !stress_planted("call")) return;
  planted_calls = copse_vm_system;
  planted_calls.madvise = planted_madvise;
  planted_calls.mprotect = planted_mprotect;
  copse_vm = &planted_calls;
}

/* ---- the victim ---- */

static uint32_t *few; /* shared: in this part the workers' requests may be slow */

/* Nothing is written to them: each instruction costs a stop. */
static void some(size_t size, unsigned n) {
  static void *p[160];
  for (unsigned turn = 0; turn < 2; turn++) {
    for (unsigned i = 0; i < n; i++) require((p[i] = copse_alloc(size)));
    for (unsigned i = 0; i < n; i++) copse_free(p[i], size);
  }
}

static void paths(struct hand *hand) {
  (void)hand;
  some(48, 160);
  some(1000, 80);
  some(5000, 40);
  some(100000, 6);
  copse_thread_flush();
  /* From the pool itself. */
  void *zero = copse_alloc_zeroed(16384);
  require(zero);
  copse_free(zero, 16384);
  void *span = copse_alloc((size_t)2 << 20);
  require(span && (span = copse_realloc(span, (size_t)2 << 20, (size_t)3 << 20)));
  copse_free(span, (size_t)3 << 20);
  some(48, 100);
  copse_trim();
  require(copse_tune_set("cooldown", 1) == 0);
  some(48, 30);
  copse_trim();
  copse_trim();
  copse_checkpoint();
  require(copse_tune_set("cooldown", 0) == 0);
  /* Memory is out: caches go home, pages go back, bare ends lose their access. */
  __atomic_store_n(few, 1, __ATOMIC_RELEASE);
  require(copse_tune_set("limit", 1) == 0);
  require(!copse_alloc(700));
  require(copse_tune_set("limit", 0) == 0);
  __atomic_store_n(few, 0, __ATOMIC_RELEASE);
  some(300, 20);
}

/* ---- addresses that were stopped at ---- */

struct address {
  uintptr_t at;
  unsigned stops;
  unsigned kinds; /* what was seen there */
};
enum { FREE = 1, POOL = 2, SPANS = 4, START = 8, CALL = 16, KNOWN = 32, OUT = 64 };
static struct address table[ADDRESSES];

static struct address *find(uintptr_t at) {
  size_t i = (size_t)(mix(at) % ADDRESSES);
  while (table[i].at && table[i].at != at) i = (i + 1) % ADDRESSES;
  table[i].at = at;
  return &table[i];
}

static unsigned count_addresses(unsigned kind, unsigned but) {
  unsigned n = 0;
  for (unsigned i = 0; i < ADDRESSES; i++) n += (table[i].kinds & kind) && !(table[i].kinds & but);
  return n;
}

extern const char __executable_start[], etext[];
static unsigned count_ours(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < ADDRESSES; i++)
    n += table[i].kinds & (FREE | SPANS) && table[i].at >= (uintptr_t)__executable_start && table[i].at < (uintptr_t)etext;
  return n;
}

static _Noreturn void held_up(uintptr_t at, const char *what) {
  bool ours = at >= (uintptr_t)__executable_start && at < (uintptr_t)etext;
  printf("# the victim stood at %s%#zx\n", ours ? "this program's " : "", (size_t)(ours ? at - (uintptr_t)__executable_start : at));
  stress_fail(__FILE__, __LINE__, what);
}

static void one_round(struct hand *hand) {
  struct tracer t;
  unsigned visits = 2 + (unsigned)(stress_state.seconds / 4), hold = 0, longest = 0;
  uint64_t instructions = 0, stops = 0;
  (void)hand;
  if (UNDER_SANITIZER) stress_skip_all("a sanitizer's runtime has locks of its own, which are not looked at");
  few = mmap(NULL, sizeof *few, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(few != MAP_FAILED);
  tracer_start(&t, ARENAS, setup, paths);
  do {
    instructions++;
    uintptr_t at = tracer_at(&t);
    struct address *a = find(at);
    if (!a->kinds) a->kinds = KNOWN | (tracer_at_call(&t) ? CALL : 0);
    hold = tracer_pools_locked() ? hold + 1 : 0;
    if (hold > longest) longest = hold;
    /* What costs system calls: where the others are to work, or this is one. */
    bool calls = a->kinds & CALL;
    if (!calls && (hold || a->stops >= visits)) {
      if (hold) a->kinds |= POOL;
      continue;
    }
    struct locks_taken taken = tracer_locks(&t);
    if (taken.pools && calls) held_up(at, "no system call under a pool's lock");
    bool out = __atomic_load_n(few, __ATOMIC_ACQUIRE);
    a->kinds |= taken.pools ? POOL : taken.start ? START : !taken.spans ? FREE : out ? OUT : SPANS;
    if (taken.pools || taken.start || (out && taken.spans) || a->stops >= visits) continue;
    a->stops++;
    stops++;
    unsigned leave_out = (taken.spans ? EPISODE_SPANS : 0) | (out ? EPISODE_MOST : 0);
    if (!held_episode(t.shared, leave_out, stress_limit() / 8 + 1)) held_up(at, "the others end their work");
  } while (tracer_step(&t));
  uint64_t episodes = t.shared->done;
  tracer_end(&t);
  stress_add("instructions that the thread was led through", instructions);
  stress_add("distinct addresses at which it stood still while the others worked", count_addresses(FREE | SPANS, 0));
  stress_add("of them in this program: copse, and the loop that calls it", count_ours());
  stress_add("stops", stops);
  stress_add("pieces of work of the others, each of which came to its end", episodes);
  stress_add("exempt: addresses only seen under a pool's lock, which the others may need", count_addresses(POOL, FREE | SPANS));
  stress_most("instructions under a pool's lock at a time, none of them a system call", longest);
  stress_add("in part: addresses under the spans' lock, where the others did without spans and trims", count_addresses(SPANS, 0));
  stress_add("exempt: addresses only seen under the spans' lock where memory is out: each request trims", count_addresses(OUT, FREE | SPANS));
  stress_add("exempt: addresses under the start lock, once a process, before any thread has a cache", count_addresses(START, 0));
  printf("# exempt, not looked at: a thread that makes the pools of an arena, while another starts that wants the same one\n");
}

const struct scenario stress_scenario = {
  "a thread stands still at each instruction of the slow path, and two others go on",
  STRESS_QUIET | STRESS_FRESH | STRESS_ONCE | STRESS_REFUSALS,
  one_round,
};
