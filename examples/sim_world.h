/* SPDX-License-Identifier: MIT */
/*
 * The world: 16 zones on a torus of 4 x 4.  A zone belongs to one worker, number (zone mod workers); nobody else
 * touches its tables.  A frame:
 *
 *   main     drains the reports of the last frame, gives orders                                (alone)
 *   update   workers walk the components of their zones and note changes down; tables stay as they are
 *   playback workers carry the notes out: events are made, the dead despawn, migrants are packed up
 *   ------   barrier
 *   exchange workers take in what other zones sent them and free it, carry orders out, spawn
 *
 * The outcome depends on the seed alone: each zone has its own random numbers and takes in its post by sender's number,
 * and nothing looks at an address or at the time.  So it is the same for any number of workers.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_alloc.h"
#include "sim_components.h"

#define SIM_ZONES  16
#define SIM_ACROSS 4
#define SIM_SIDE   64.0f

/* ------------------------------------------------------------------ what is sent */

enum event_kind { DAMAGE, SOUND, TALK, SUPPLY, CONTACT, REPORT, BLAST, SWARM, RELOAD };

/* Made by one thread, freed by another: by a zone for a zone or for main, or (orders) by main for a zone. */
struct event {
  uint32_t kind, target, from, words;
  float data[];
};

/* A migrating entity: made by the zone it leaves, freed by the one it enters.  Its components move along. */
struct parcel {
  enum archetype archetype;
  void *components[COMPONENTS];
};

/* ------------------------------------------------------------------ what update notes down, by value */

enum note_kind { NOTE_EVENT, NOTE_ROUTE, NOTE_QUENCH };

struct note {
  uint32_t kind, archetype, row;
  uint32_t event, to, target;
  float amount;
};

/* A row that leaves its table: for another zone, or for good. */
#define GONE SIM_ZONES
struct leave {
  uint32_t row, to;
};

/* ------------------------------------------------------------------ growing arrays */

struct list {
  void **at;
  uint32_t count, room;
};

struct notes {
  struct note *at;
  uint32_t count, room;
};

struct leaves {
  struct leave *at;
  uint32_t count, room;
};

/* Makes room for one more item of `size` bytes in an array that is full; returns the array. */
void *array_grow(void *at, uint32_t *room, size_t size);

#define APPEND(array, item)                                                                                            \
  do {                                                                                                                 \
    if ((array)->count == (array)->room) (array)->at = array_grow((array)->at, &(array)->room, sizeof *(array)->at);   \
    (array)->at[(array)->count++] = (item);                                                                            \
  } while (0)

#define ARRAY_FREE(array)                                                                                              \
  do {                                                                                                                 \
    if ((array)->at) sim_free((array)->at, (array)->room * sizeof *(array)->at);                                       \
    (array)->at = NULL;                                                                                                \
    (array)->count = (array)->room = 0;                                                                                \
  } while (0)

/* ------------------------------------------------------------------ zones */

/* One archetype: a column of pointers for each component; those in `may` can be NULL in a row. */
struct table {
  void **column[COMPONENTS];
  uint32_t count, room;
};

struct archetype_info {
  uint32_t has, may; /* sets of components, a bit each */
  uint32_t percent;  /* of --entities */
  uint32_t recovery; /* each frame, one part in this of what is missing is spawned */
};
extern const struct archetype_info archetypes[ARCHETYPES];

struct zone {
  /* its worker only */
  struct table table[ARCHETYPES];
  struct leaves leaves[ARCHETYPES];
  struct notes notes;
  uint64_t random;
  uint32_t number, next_id, frame;
  uint32_t wanted[ARCHETYPES];
  uint64_t updates, spawns, despawns, migrations, events, allocations;
  bool fault; /* --plant-fault: the next death is overlooked */
  /* written in playback by the zone's worker, emptied in exchange by the worker of zone i */
  struct list post[SIM_ZONES], parcels[SIM_ZONES];
  /* written by the zone's worker, emptied by main between frames */
  struct list reports;
  /* written by main between frames, emptied by the zone's worker */
  struct list orders;
} __attribute__((aligned(128)));

struct world {
  struct zone zones[SIM_ZONES];
  /* main only */
  uint64_t random, digest;
  uint32_t frame, bursts;
};

/* ------------------------------------------------------------------ sim_world.c: storage */

void world_open(struct world *world, uint64_t seed, uint32_t entities);
/* Of all components of all entities, and of all that happened.  Between frames. */
uint64_t world_checksum(const struct world *world);
uint64_t world_population(const struct world *world);
/* Spawns all that the zone wants; by its worker. */
void zone_fill(struct zone *zone);
/* Despawns everything and frees the arrays; by its worker, or between frames. */
void zone_close(struct zone *zone);
/* At a random place, or at `at`. */
void zone_spawn(struct zone *zone, enum archetype archetype, const float *at);
/* The last row takes the place of the one that goes. */
void zone_despawn(struct zone *zone, enum archetype archetype, uint32_t row);
struct parcel *zone_pack(struct zone *zone, enum archetype archetype, uint32_t row);
void zone_unpack(struct zone *zone, struct parcel *parcel);
struct event *event_new(uint64_t *allocations, enum event_kind kind, uint32_t words);
void event_free(struct event *event);
size_t route_size(const struct route *route);

/* ------------------------------------------------------------------ sim_systems.c: update */

void zone_update(struct zone *zone);

/* ------------------------------------------------------------------ sim_sync.c: the sync point */

void zone_playback(struct zone *zone);
void zone_exchange(struct world *world, struct zone *zone);
/* Main's part of a frame: reads and frees the reports, gives orders. */
void world_direct(struct world *world);

/* ------------------------------------------------------------------ random numbers */

/* A finaliser: each bit of the result depends on all bits of x. */
static inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_next(uint64_t *state) { return mix(*state += 0x9e3779b97f4a7c15u); }
/* pre: n is not 0. */
static inline uint32_t random_below(uint64_t *state, uint32_t n) { return (uint32_t)(random_next(state) >> 32) % n; }
static inline float random_float(uint64_t *state, float low, float high) {
  return low + (high - low) * ((float)(random_next(state) >> 40) * 0x1p-24f);
}

static inline void *component(const struct table *table, enum component component, uint32_t row) {
  return table->column[component][row];
}

#endif
