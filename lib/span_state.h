/* SPDX-License-Identifier: MIT */
/*
 * What the files of the span allocator share, and nobody else includes.
 *
 *   granule: free --claim--> in flight --publish--> live --free--> cached --take--> live
 *              ^                |  ^                  |              |
 *              +----settle------+  +------------------+--------------+
 *
 * Every step of the picture is taken under the span lock; what is in flight is some thread's own, and system calls are made
 * for it without the lock.  So at every release of the lock:
 *   used = live + cached + flight, disjoint;  live and cached granules are committed;
 *   charged bytes = lengths of live spans + lengths of cached ones + flight_bytes.
 * The bits of a granule in flight are the careful ones, for a child that is forked in between finds them so: `dirty` is set,
 * `committed` is clear where access may just be taken away, `pinned` is set where huge pages may just have come.
 */
#ifndef COPSE_SPAN_STATE_H
#define COPSE_SPAN_STATE_H

#include "span.h"

/* Spans in the cache at most: the table is searched from end to end. */
#define SPAN_CACHE_ENTRIES 64
/* From this length on a span's last granule may get a transparent huge page even where it is not full: 1/8 at most is lost. */
#define SPAN_HUGE_TAIL ((u64)16 << 20)
/* Granules whose table entries are committed at a time: 64 KB of table. */
#define SPAN_TABLE_STEP 8192

struct span_cached {
  u64 first, length;
};

struct span_state {
  /* Constant after start. */
  char *base;
  u64 granules;
  u64 *table; /* entries: written under the lock, read by anybody */

  /* Entries of the table that are committed.  Written under the lock, read by anybody. */
  u64 frontier __attribute__((aligned(APART)));

  /* Under the lock.  The bitmaps have a bit a granule. */
  u64 *used;      /* not free */
  u64 *flight;    /* in flight */
  u64 *committed; /* accessible */
  u64 *dirty;     /* may hold other bytes than zeros */
  u64 *foreign;   /* a mapping was moved here: its pages and its access are given back together.  Without `committed`:
                   * torn, a refusal may have left a hole in the reservation */
  u64 *pinned;    /* explicit huge pages: neither moved nor decommitted */
  u64 *advised;   /* told to use transparent huge pages */
  bool refused;   /* free granules may be dirty */
  u64 hint;       /* no granule below is free */
  u64 flight_bytes;
  struct span_cached cache[SPAN_CACHE_ENTRIES]; /* oldest first */
  u64 cache_count;
};
hidden extern struct span_state copse_span_state;

static inline char *span_address(u64 granule) { return copse_span_state.base + granule * GRANULE; }
static inline u64 span_granules(u64 length) { return (length + GRANULE - 1) / GRANULE; }
/* RUN_NONE: not the start of a granule that has an entry in the table. */
hidden u64 copse_span_index(const void *p);
/* Whether there are explicit huge pages in the run.  The lock is held. */
hidden bool copse_span_pinned_locked(u64 first, u64 count);
/* Takes back, under the lock, that granules have access; the counter of committed bytes with it. */
hidden void copse_span_strip_locked(u64 first, u64 count);
/*
 * After that, and a refusal: takes whatever access is left, or else it would count against the process for ever.
 * `counted` of the granules are in the counter of committed bytes.  No lock is held.
 */
hidden bool copse_span_renounce(u64 first, u64 count, u64 counted);

/* A run of granules in flight, and what was known of it when it was claimed. */
struct span_claim {
  u64 first, count;       /* granules */
  u64 charged;            /* bytes */
  u64 bare;               /* no granule of it below this one lacks access; first + count: none does */
  u64 committed;          /* how many have access */
  u64 advise, advise_end; /* to be told to use transparent huge pages */
  u64 small;              /* from here on to be told not to: first + count: nothing is */
  u64 explicit_wanted;    /* how many, from the first on, are to get explicit huge pages if there are any */
  u64 pinned;             /* and how many did */
  bool dirty;             /* bytes may be other than zero */
  bool renew;             /* some of it was torn: its mapping is to be renewed first */
  bool torn;              /* so is all of it now */
  bool stale;             /* the last granule was once told to use huge pages and would waste one: renew its mapping */
};

/* ---- span_claim.c ---- */
/* The lowest free run of `count` granules, if possible one with up to `room` free ones behind it.  RUN_NONE: no such run. */
hidden u64 copse_span_find_locked(u64 count, u64 alignment, u64 room);
/* Claims free granules.  `charged` is what the caller charged for them, under the same hold of the lock. */
hidden void copse_span_claim_locked(struct span_claim *claim, u64 first, u64 count, u64 charged);
/* Before the commit: what huge pages to ask for.  The claim is all or the end of a span from `start` on, `length` bytes. */
hidden void copse_span_plan_advice_locked(struct span_claim *claim, u64 start, u64 length);
hidden void copse_span_plan_explicit_locked(struct span_claim *claim, u64 length);
/* Commits a claim, and the table for it.  No lock is held.  false: refused; the claim is still to be cancelled. */
hidden bool copse_span_commit(struct span_claim *claim);
/* Ends a claim: its granules become part of a live span (the caller writes the table), or free. */
hidden void copse_span_publish_locked(const struct span_claim *claim);
hidden void copse_span_cancel_locked(const struct span_claim *claim, bool committed);

/* ---- span_release.c ---- */
/* Runs on their way back, in flight. */
struct span_gone {
  u64 first, count, length; /* granules; bytes that were charged */
  bool uncommit, pinned;
};
struct span_gone_list {
  u64 count;
  struct span_gone runs[SPAN_CACHE_ENTRIES + 1];
};

/* Puts used granules, that no span has any more, in flight and on the list.  access: it is to be given back too. */
hidden void copse_span_detach_locked(struct span_gone_list *list, u64 first, u64 count, u64 length, bool access);
/* Gives the pages back and frees the granules; those whose pages the system would not take stay dirty, and are asked for again by
 * copse_span_reclaim.  No lock is held.  Returns the bytes that were given back. */
hidden u64 copse_span_settle(const struct span_gone_list *list);
/* Empties the cache, and what was refused before; access: also takes the access of all granules that nobody has.  Returns bytes that
 * were given back. */
hidden u64 copse_span_reclaim(bool access);

/* ---- span_cache.c: all under the lock ---- */
/* Takes a cached span that suits: its length is in [length, length * 5/4].  Returns its granule, RUN_NONE: none suits. */
hidden u64 copse_span_cache_take_locked(u64 length, u64 alignment, u64 *found);
/* Keeps a span, and puts on the list what that drives out: the oldest, or this one if it is larger than the cache. */
hidden void copse_span_cache_put_locked(u64 first, u64 length, struct span_gone_list *list);
hidden void copse_span_cache_empty_locked(struct span_gone_list *list, bool access);

#endif
