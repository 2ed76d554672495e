/* SPDX-License-Identifier: MIT */
/* What a trim has taken out of a pool's words, for the time in which it gives the pages back. */
#ifndef COPSE_POOL_PIECE_H
#define COPSE_POOL_PIECE_H

#include "pool.h"

/* Detached slots of one block, which of them were bare before, and which are bare now. */
struct piece {
  u64 block, mask, was_bare, bare;
  bool wanted;  /* it was to go itself, not with a neighbour alone */
  bool refused; /* some page was to be given back, and the system would not take it */
};

/*
 * Gives back the pages that lie wholly inside runs of these slots, across blocks, and notes in each piece which of its slots are bare by
 * that, or that it was refused.  Returns bytes.
 * pre: no lock is held; the pieces are the caller's, in the order of their blocks.
 */
hidden u64 copse_pool_give_back(const struct pool *p, struct piece *pieces, unsigned n);

#endif
