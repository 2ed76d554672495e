/* SPDX-License-Identifier: MIT */
/*
 * The model: a plain array of the live allocations, each with bytes that are its own and nobody else's.  An allocator that is
 * wrong gives out memory that overlaps, is not aligned, or loses what was written; each of these is looked for by looking.
 */
#ifndef COPSE_FUZZ_MODEL_H
#define COPSE_FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_MOST = 1024 };
/* What may be live at a time, in bytes. */
#define MODEL_BYTES ((size_t)48 << 20)

struct live {
  unsigned char *at;
  size_t asked, usable; /* bytes */
  size_t alignment;     /* that was asked of copse_alloc_aligned; 0: another function gave it */
  size_t marked;        /* another end before which all is written; 0: none */
  uint64_t seed;        /* of its bytes */
};

struct model {
  struct live live[MODEL_MOST];
  size_t count, bytes;
  uint64_t seed;  /* of the last one */
  bool may_fail;  /* memory may be refused */
  bool crowded;   /* other threads are at work: figures change while they are looked at */
};

/* Empty, its seeds beginning at some number that is no other model's. */
void model_clear(struct model *m, uint64_t seed);
/* Whether one more of `size` bytes fits what the model keeps. */
static inline bool model_has_room(const struct model *m, size_t size) {
  return m->count < MODEL_MOST && size <= MODEL_BYTES - m->bytes;
}
/*
 * A new allocation: aligned to `aligned`, overlapping with none, as large as asked for, its first `zeros` bytes zero.  Its bytes are
 * written.
 */
struct live *model_add(struct model *m, void *p, size_t asked, size_t usable, size_t aligned, size_t zeros);
/* Its bytes are what was written.  The last one takes its place. */
struct live model_take(struct model *m, size_t which);
/* Writes what stands before `end` as well, where it is about to be shortened to that. */
void model_mark(struct live *l, size_t end);
/* The first `length` bytes at `p` are those of `l`. */
bool model_holds(const struct live *l, const void *p, size_t length);
/* All of them. */
void model_check(const struct model *m);
/* One of another model's, with its bytes as they are. */
void model_adopt(struct model *m, const struct live *l);

#endif
