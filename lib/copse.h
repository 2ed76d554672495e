/* SPDX-License-Identifier: MIT */
/*
 * copse: a memory allocator for programs that know the sizes of their objects.
 *
 * Threads: every function may be called from any thread at any time, unless its comment says otherwise.
 * Signals: no function here is async-signal-safe.
 * Fibers:  a fiber may move between threads outside of these functions; nothing is kept by fiber.
 * Errors:  a failed request returns NULL and sets errno to ENOMEM; failure is never sticky.  No function that
 *          frees changes errno.
 * Misuse:  what a `pre:` line asks for is not checked in release, where breaking it is undefined behaviour; it is
 *          checked in the instrumented library, but for the room of copse_alloc_batch's array; there breaking it prints
 *          a line and the stacks, and aborts; see copse_on_misuse.
 */
#ifndef COPSE_H
#define COPSE_H

#include <stddef.h>
#include <stdint.h>

#define COPSE_VERSION_MAJOR 0
#define COPSE_VERSION_MINOR 1
#define COPSE_VERSION_PATCH 0

/* Every allocation is aligned to at least this many bytes. */
#define COPSE_ALIGNMENT_MIN 16
/* The greatest alignment, in bytes, that copse_alloc_aligned takes. */
#define COPSE_ALIGNMENT_MAX 0x40000000ul
/* How many size classes there are, and the largest size, in bytes, that has one; what is larger is a span. */
#define COPSE_CLASSES 60
#define COPSE_CLASS_SIZE_MAX 0x100000ul

#ifndef COPSE_API
#define COPSE_API __attribute__((visibility("default")))
#endif

#if defined(__clang__) || __GNUC__ < 11
#define COPSE_MALLOC_ __attribute__((malloc, warn_unused_result))
#else
#define COPSE_MALLOC_ __attribute__((malloc, malloc(copse_free_unsized, 1), warn_unused_result))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ allocate and free */

/*
 * Frees the allocation at `ptr`, whose size the caller does not know.
 * pre: `ptr` came from one of the functions below, is not NULL and was not freed since.
 */
COPSE_API void copse_free_unsized(void *ptr) __attribute__((nonnull));

/*
 * Allocates `size` bytes, uninitialised.  A size of 0 is served as 1: the result is not NULL, and unique until freed.
 * The result is aligned to 16 bytes, and to `size` where `size` is a power of two up to 4096.
 * Returns NULL with ENOMEM when there is no memory, or `size` is above PTRDIFF_MAX.
 */
COPSE_API void *copse_alloc(size_t size) COPSE_MALLOC_ __attribute__((alloc_size(1)));

/* As copse_alloc; the `size` bytes are zero. */
COPSE_API void *copse_alloc_zeroed(size_t size) COPSE_MALLOC_ __attribute__((alloc_size(1)));

/*
 * As copse_alloc; the result is aligned to `alignment` bytes.  `size` need not be a multiple of it.
 * Returns NULL with EINVAL when `alignment` is not a power of two from 1 to COPSE_ALIGNMENT_MAX.
 */
COPSE_API void *copse_alloc_aligned(size_t size, size_t alignment)
  COPSE_MALLOC_ __attribute__((alloc_size(1), alloc_align(2)));

/*
 * Changes the size of the allocation at `ptr` from `old_size` to `new_size` bytes, moving it where it must: the contents
 * up to the lesser of both stay.  A `new_size` of 0 is served as 1 and does not free.  A `ptr` of NULL with an `old_size`
 * of 0 allocates.  What grows from 64 KB on is moved once, and from there grows by pages, added behind it or moved
 * by mremap(2), without a copy.  `ptr` may come from copse_alloc_aligned; the result is aligned as by copse_alloc(new_size),
 * and is freed as what that gives: by copse_free or copse_free_unsized, not by copse_free_aligned with an alignment above 16.
 * Returns NULL with ENOMEM when there is no memory; then the old allocation is untouched.
 * pre: `ptr` is live, or NULL with an `old_size` of 0; `old_size` is the size asked for, or any size from there to
 *      copse_usable_size(ptr).
 */
COPSE_API void *copse_realloc(void *ptr, size_t old_size, size_t new_size)
  __attribute__((warn_unused_result, alloc_size(3)));

/*
 * Frees the allocation at `ptr`.
 * pre: `ptr` is live, not NULL, and did not come from copse_alloc_aligned with an alignment above 16;
 *      `size` is the size asked for, or any size from there to copse_usable_size(ptr).
 */
COPSE_API void copse_free(void *ptr, size_t size) __attribute__((nonnull));

/*
 * Frees an allocation of copse_alloc_aligned.
 * pre: `ptr` is live, not NULL; `size` as for copse_free; `alignment` is the one asked for.
 */
COPSE_API void copse_free_aligned(void *ptr, size_t size, size_t alignment) __attribute__((nonnull));

/*
 * How many bytes from `ptr` on may be used: at least the size asked for.  In the instrumented library exactly the size
 * asked for.  Any size from the one asked for to this one may be given to copse_free.
 * A compiler takes the size asked for as all there is, and what _FORTIFY_SOURCE checks aborts beyond it: who wants to use
 * more says so by copse_realloc(ptr, size, copse_usable_size(ptr)), which leaves it where it is in release, but for what is of 64 KB
 * or less and was aligned to more than 1 MB.
 * pre: `ptr` is live, not NULL.
 */
COPSE_API size_t copse_usable_size(const void *ptr) __attribute__((nonnull));

/*
 * The usable size that copse_alloc(size) would give; above 1 MB, and where a class has no room left and a larger one serves it, would
 * give at least: asking for that much costs no more memory.
 * A `size` above PTRDIFF_MAX is returned as it is.
 */
COPSE_API size_t copse_good_size(size_t size) __attribute__((const));

/* ------------------------------------------------------------------ many at once */

/*
 * Allocates `n` objects of `size` bytes each into out[0..n), each as by copse_alloc(size).
 * Returns how many it allocated: less than `n`, with ENOMEM in errno, when memory ran out on the way; those stand in
 * out[0..result) and are live, and the rest of `out` is unchanged.
 * pre: `out` has room for `n` pointers; it may be NULL where `n` is 0.
 */
COPSE_API size_t copse_alloc_batch(size_t size, size_t n, void *out[]) __attribute__((warn_unused_result));

/*
 * Frees the `n` allocations at ptrs[0..n), each as by copse_free(ptrs[i], size).  `ptrs` itself is only read; it may be NULL where
 * `n` is 0.
 * pre: each is live, not NULL and stands there once; copse_free(ptrs[i], size) would be right.
 */
COPSE_API void copse_free_batch(size_t size, size_t n, void *const ptrs[]);

/* ------------------------------------------------------------------ giving memory back */

/*
 * Gives free memory back to the system: flushes the calling thread's cache, takes the spare bundles of all other threads,
 * drains the recyclers, asks the other threads to flush theirs (see copse_trim_pending), and decommits what is free: with a
 * parameter "cooldown" of n what is in blocks of 64 slots in which nothing came free through the last n trims, so that memory
 * that is left alone goes with trim n + 1 after it was freed; cached spans go at once.  Returns how many bytes it decommitted: 0
 * where there is nothing to be given back, or the system takes nothing; what it refuses the next trim asks for again.
 * It waits for no other thread, and holds no lock during a system call.
 */
COPSE_API size_t copse_trim(void);

/*
 * To be called where the thread is at rest (a frame's end): if another thread asked for a trim, flushes this thread's
 * cache.  Otherwise it costs two loads and a branch.
 */
COPSE_API void copse_checkpoint(void);

/* Flushes the calling thread's cache now.  For threads that are about to block for long. */
COPSE_API void copse_thread_flush(void);

/* How many threads hold cached memory and have not yet followed the last copse_trim, or trim at a peak ("peak_trim"). */
COPSE_API size_t copse_trim_pending(void);

/* ------------------------------------------------------------------ looking at it */

/* One size class.  Slots are counted one by one: none of these is derived from another. */
struct copse_class_stats {
  uint64_t size;        /* bytes in a slot */
  uint64_t blocks;      /* blocks of 64 slots that exist */
  uint64_t cached;      /* slots in threads' bundles and in the recycler */
  uint64_t free;        /* slots that are free in their block */
  uint64_t detached;    /* slots that a trim holds at the moment */
  uint64_t uncommitted; /* slots of existing blocks that have no memory yet */
  uint64_t bare;        /* of the free ones: how many have no pages */
  uint64_t quarantined; /* freed slots that the instrumented library holds back; in release 0 */
  uint64_t lost;        /* slots that were in flight in another thread when this process was forked */
  uint64_t locked;      /* how often the pool's lock was taken by a refill or a flush */
};

struct copse_stats {
  uint64_t page_size;         /* bytes */
  uint64_t reserved;          /* bytes of address space */
  uint64_t arenas;            /* homes of slots, among which threads are spread */
  uint64_t committed;         /* bytes made accessible for slots and spans */
  uint64_t in_use;            /* bytes of blocks and spans that may have pages: what "limit" limits */
  uint64_t metadata;          /* bytes made accessible for copse itself */
  uint64_t spans;             /* live spans; in the instrumented library those that it holds back, too */
  uint64_t span_bytes;        /* bytes in them */
  uint64_t span_cached;       /* bytes in the span cache */
  uint64_t threads;           /* threads that have a cache now */
  uint64_t generation;        /* how many trims were asked for, since the first allocation */
  uint64_t refills;           /* bundles taken from pools */
  uint64_t flushes;           /* bundles with slots given back to pools, by trims too */
  uint64_t pops;              /* bundles taken from recyclers */
  uint64_t pushes;            /* bundles given to recyclers */
  uint64_t system_calls;      /* made by copse so far */
  uint64_t decommitted;       /* bytes given back to the system so far */
  uint64_t huge_1g;           /* bytes mapped with 1 GB pages so far, given back or not */
  uint64_t huge_2m;           /* bytes mapped with explicit 2 MB pages so far, likewise */
  uint64_t huge_advised;      /* bytes for which transparent huge pages were asked so far */
  uint64_t huge_1g_fallbacks; /* requests that 1 GB pages could not serve */
  uint64_t huge_2m_fallbacks; /* requests that explicit 2 MB pages could not serve */
  struct copse_class_stats classes[COPSE_CLASSES];
};

/*
 * Writes a snapshot.  Counters of other threads are read while they run: exact where those threads are at rest.  Before the first
 * allocation all of it is 0.
 */
#ifdef __cplusplus
/* C++ has the name of the struct as a constructor's, and -Wshadow says that the function hides that. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
COPSE_API void copse_stats(struct copse_stats *out) __attribute__((nonnull));
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/*
 * Writes the same as one JSON object, as snprintf(3) would: at most `size` bytes with the terminating NUL; returns the
 * length of the whole, without NUL.  `buffer` may be NULL when `size` is 0.
 */
COPSE_API size_t copse_stats_json(char *buffer, size_t size);

/* What copse_heap_walk found: a block, which is 64 slots of one size; or a span, which counts as a block of one slot. */
struct copse_block {
  const void *address;  /* of its first slot */
  uint64_t size;        /* bytes in a slot; in the instrumented library its redzone is among them */
  uint64_t free;        /* bit i: slot i is free in its block; of a span: it is cached, for reuse */
  uint64_t bare;        /* bit i: it is, and has no pages */
  uint32_t slots;       /* that exist: 64, fewer at a pool's end, 1 for a span */
  uint16_t size_class;  /* 0 to COPSE_CLASSES - 1; COPSE_CLASSES: a span */
  uint16_t arena;       /* 0 for a span */
};

/*
 * Calls visit(blocks, n, context) again and again: arena by arena, class by class, each time with 1 to 64 blocks of one pool, in
 * the order of their addresses; then likewise with spans.  When `visit` returns other than 0, the walk ends and returns that; else
 * it returns 0.  It reads a word or two a block, no slot, and makes no system call; its stack is below 4 KB.
 * What is not free is live; or cached, by a thread or a recycler; or quarantined, or on its way from one to another; or not made
 * accessible yet, or lost in a fork.  What is live is not told from the rest.
 * Consistency: the blocks of one call are as they were at one instant; those of different calls, at different instants.  What is
 * there all the time is seen once; what comes or goes meanwhile, once or not at all.  The sums are those of copse_stats where
 * other threads are at rest.
 * `blocks` is valid during the call.  No lock is held in it: `visit` may allocate and free.
 * pre: `visit` is not NULL.
 */
COPSE_API int copse_heap_walk(int (*visit)(const struct copse_block *blocks, size_t n, void *context), void *context)
  __attribute__((nonnull(1)));

/*
 * Writes what such a walk finds to a file descriptor, as lines of text; copse_heap_write(3) has the format, and copse-map(1)
 * draws it.  It allocates nothing, writes 4 KB at a time, goes on after EINTR and short writes, and needs less than 8 KB of stack.
 * Returns 0; or -1 with the errno of write(2), when some of it may have been written.
 */
COPSE_API int copse_heap_write(int fd);

/* ------------------------------------------------------------------ parameters */

/*
 * Reads or sets a parameter by name.  They are read when bundles are exchanged and slower, never on the hot path, so
 * that a change takes effect from there on.  copse(7) has the list with the range of each.
 * Return 0; ENOENT when there is no such parameter; EINVAL when `value` is out of its range (then nothing changes);
 * EBUSY when it can only be set before the first allocation.  errno is left alone.
 * The drop-ins, and the instrumented library, read COPSE_OPTIONS at the first allocation as well: "name=value,name=value";
 * that overrides what was set before.
 */
COPSE_API int copse_tune_get(const char *name, uint64_t *value) __attribute__((nonnull));
COPSE_API int copse_tune_set(const char *name, uint64_t value) __attribute__((nonnull));

/* ------------------------------------------------------------------ misuse */

/* What the instrumented library found.  Valid while the handler runs. */
struct copse_misuse {
  const char *function; /* that was called */
  const char *what;     /* in a few words, for instance "freed before" */
  const void *pointer;  /* that it was given, or where freed memory was written to, or NULL */
  size_t size;          /* that it was given, or 0 */
  size_t asked;         /* bytes once asked for at that place, or 0 where nothing is known of it */
};

/*
 * Has `handler` called, with `context`, for each misuse that the instrumented library finds, after the report on stderr and
 * in place of abort; NULL: abort again.  When it returns, the function that was misused does nothing, and returns NULL or 0,
 * or an error where it returns those by number; one that only found that freed memory had been written to goes on, and so does
 * copse_free_batch, with the other ones.  Left by longjmp, it may cost the block.
 * The handler may allocate.  One handler a process.  In release nothing is found, and this does nothing.
 */
COPSE_API void copse_on_misuse(void (*handler)(const struct copse_misuse *misuse, void *context), void *context);

/* "MAJOR.MINOR.PATCH", of the library that runs; the instrumented one appends " instrumented". */
COPSE_API const char *copse_version(void) __attribute__((const));

#ifdef __cplusplus
}
#endif

#endif
