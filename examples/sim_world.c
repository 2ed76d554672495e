/* SPDX-License-Identifier: MIT */
/*
 * Storage: zones, tables, components.  Each component of each entity is allocated on its own; a table row is a set of
 * pointers, and rows are kept dense by moving the last one into a gap.
 */
#include "sim_world.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SET(component) (1u << (component))

/* Half of the entities live for less than a second; the rest live until something kills them. */
const struct archetype_info archetypes[ARCHETYPES] = {
    [DEBRIS] = {SET(TRANSFORM) | SET(SPARK), 0, 48, 4},
    [MISSILE] = {SET(TRANSFORM) | SET(BODY) | SET(TRAIL), 0, 18, 4},
    [CREATURE] = {SET(TRANSFORM) | SET(BODY) | SET(HEALTH) | SET(MIND) | SET(RIG), SET(STATUS) | SET(ROUTE), 16, 32},
    [VEHICLE] = {SET(TRANSFORM) | SET(BODY) | SET(HEALTH) | SET(ENGINE), 0, 8, 32},
    [STRUCTURE] = {SET(TRANSFORM) | SET(HEALTH) | SET(STORE), 0, 10, 32},
};

/* A route's is its own. */
static const uint16_t component_size[COMPONENTS] = {
    [TRANSFORM] = sizeof(struct transform),
    [BODY] = sizeof(struct body),
    [HEALTH] = sizeof(struct health),
    [SPARK] = sizeof(struct spark),
    [TRAIL] = sizeof(struct trail),
    [MIND] = sizeof(struct mind),
    [RIG] = sizeof(struct rig),
    [ENGINE] = sizeof(struct engine),
    [STORE] = sizeof(struct store),
    [STATUS] = sizeof(struct status),
};

void sim_out_of_memory(size_t size) {
  /* Two threads at once: one says it, the other waits for the end. */
  static atomic_flag said = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&said)) pause();
  fprintf(stderr, "simulation: out of memory: %zu bytes were refused\n", size);
  /* Other threads are in full swing: no exit handlers. */
  _exit(1);
}

void *array_grow(void *at, uint32_t *room, size_t size) {
  uint32_t more = *room ? *room * 2 : 64;
  at = at ? sim_resize(at, *room * size, more * size) : sim_alloc(more * size);
  *room = more;
  return at;
}

/* ------------------------------------------------------------------ components */

size_t route_size(const struct route *route) { return sizeof *route + route->count * sizeof route->points[0]; }

static size_t size_of(enum component kind, const void *data) {
  return kind == ROUTE ? route_size(data) : component_size[kind];
}

static void fill(uint64_t *random, float *out, unsigned n, float low, float high) {
  for (unsigned i = 0; i < n; i++) out[i] = random_float(random, low, high);
}

static void init_transform(struct zone *zone, struct transform *t, float speed) {
  fill(&zone->random, t->position, 2, 0, SIM_SIDE);
  t->position[2] = random_float(&zone->random, 0, 2);
  fill(&zone->random, t->velocity, 3, -speed, speed);
  fill(&zone->random, t->spin, 3, -0.5f, 0.5f);
  t->rotation[0] = 1;
  t->rotation[1] = t->rotation[2] = t->rotation[3] = 0;
  t->scale = random_float(&zone->random, 0.5f, 2);
  t->id = zone->number << 26 | (zone->next_id++ & 0x3ffffff);
  t->born = zone->frame;
}

/* By kind; every word is written. */
static void init_component(struct zone *zone, enum archetype archetype, enum component kind, void *data) {
  uint64_t *random = &zone->random;
  switch (kind) {
  case TRANSFORM:
    init_transform(zone, data, archetype == STRUCTURE ? 0.0f : archetype == DEBRIS ? 1.2f : 0.2f);
    break;
  case BODY:
    *(struct body *)data = (struct body){.extent = {1, 1, 2},
                                         .mass = random_float(random, 1, 9),
                                         .drag = random_float(random, 0.9f, 0.98f),
                                         .bounce = 0.4f};
    break;
  case HEALTH: {
    float most = random_float(random, 60, 140);
    *(struct health *)data = (struct health){.now = most, .most = most, .regrowth = 0.01f};
    break;
  }
  case SPARK:
    *(struct spark *)data = (struct spark){.heat = random_float(random, 800, 1600),
                                           .cooling = random_float(random, 0.93f, 0.98f),
                                           .drag = 0.97f,
                                           .size = 0.1f,
                                           .frames_left = 4 + random_below(random, 17)};
    break;
  case TRAIL: {
    struct trail *trail = data;
    memset(trail->points, 0, sizeof trail->points);
    trail->width = 0.2f;
    trail->frames_left = 8 + random_below(random, 33);
    trail->target = (uint32_t)random_next(random);
    break;
  }
  case MIND: {
    struct mind *mind = data;
    fill(random, mind->goal, 2, 0, SIM_SIDE);
    mind->goal[2] = 0;
    mind->fear = mind->anger = 0;
    mind->hunger = random_float(random, 0, 1);
    mind->sight = random_float(random, 5, 20);
    fill(random, mind->memory, 20, -1, 1);
    mind->state = mind->thoughts = 0;
    mind->target = (uint32_t)random_next(random);
    mind->patience = random_below(random, 5);
    mind->luck = (uint32_t)random_next(random);
    break;
  }
  case RIG: {
    struct rig *rig = data;
    fill(random, &rig->joints[0][0], RIG_JOINTS * 4, -1, 1);
    rig->phase = random_float(random, 0, 6);
    rig->pace = random_float(random, 0.05f, 0.2f);
    rig->blend = 0.1f;
    rig->sway = 0;
    break;
  }
  case ENGINE: {
    struct engine *engine = data;
    fill(random, engine->heat, ENGINE_PARTS, 20, 90);
    fill(random, engine->wear, ENGINE_PARTS, 0, 0.1f);
    engine->turns = 800;
    engine->fuel = random_float(random, 20, 60);
    engine->throttle = 0.3f;
    engine->gear = 1;
    break;
  }
  case STORE:
    fill(random, ((struct store *)data)->stock, STORE_GOODS, 0, 100);
    fill(random, ((struct store *)data)->rate, STORE_GOODS, -0.5f, 0.6f);
    break;
  case STATUS:
  case ROUTE:
  case COMPONENTS:
    break; /* not given at birth */
  }
}

/* ------------------------------------------------------------------ rows */

static uint32_t row_new(struct table *table, enum archetype archetype) {
  uint32_t set = archetypes[archetype].has | archetypes[archetype].may;
  if (table->count == table->room) {
    uint32_t room = table->room;
    for (unsigned c = 0; c < COMPONENTS; c++) {
      if (!(set & SET(c))) continue;
      room = table->room;
      table->column[c] = array_grow(table->column[c], &room, sizeof(void *));
    }
    table->room = room;
  }
  return table->count++;
}

static void row_close(struct table *table, uint32_t row) {
  uint32_t last = --table->count;
  for (unsigned c = 0; c < COMPONENTS; c++)
    if (table->column[c]) table->column[c][row] = table->column[c][last];
}

void zone_spawn(struct zone *zone, enum archetype archetype, const float *at) {
  struct table *table = &zone->table[archetype];
  uint32_t row = row_new(table, archetype);
  for (unsigned c = 0; c < COMPONENTS; c++) {
    if (!table->column[c]) continue;
    void *data = NULL;
    if (archetypes[archetype].has & SET(c)) {
      data = sim_alloc(component_size[c]);
      zone->allocations++;
      init_component(zone, archetype, (enum component)c, data);
    }
    table->column[c][row] = data;
  }
  if (at) {
    struct transform *t = component(table, TRANSFORM, row);
    for (int i = 0; i < 3; i++) t->position[i] = at[i];
  }
  zone->spawns++;
}

void zone_despawn(struct zone *zone, enum archetype archetype, uint32_t row) {
  struct table *table = &zone->table[archetype];
  for (unsigned c = 0; c < COMPONENTS; c++) {
    void *data = table->column[c] ? table->column[c][row] : NULL;
    if (data) sim_free(data, size_of((enum component)c, data));
  }
  row_close(table, row);
  zone->despawns++;
}

struct parcel *zone_pack(struct zone *zone, enum archetype archetype, uint32_t row) {
  struct table *table = &zone->table[archetype];
  struct parcel *parcel = sim_alloc(sizeof *parcel);
  zone->allocations++;
  parcel->archetype = archetype;
  for (unsigned c = 0; c < COMPONENTS; c++) parcel->components[c] = table->column[c] ? table->column[c][row] : NULL;
  row_close(table, row);
  zone->migrations++;
  return parcel;
}

void zone_unpack(struct zone *zone, struct parcel *parcel) {
  struct table *table = &zone->table[parcel->archetype];
  uint32_t row = row_new(table, parcel->archetype);
  for (unsigned c = 0; c < COMPONENTS; c++)
    if (table->column[c]) table->column[c][row] = parcel->components[c];
  sim_free(parcel, sizeof *parcel);
}

/* ------------------------------------------------------------------ events */

struct event *event_new(uint64_t *allocations, enum event_kind kind, uint32_t words) {
  struct event *event = sim_alloc(sizeof *event + words * sizeof event->data[0]);
  ++*allocations;
  event->kind = kind;
  event->words = words;
  return event;
}

void event_free(struct event *event) { sim_free(event, sizeof *event + event->words * sizeof event->data[0]); }

static void events_free(struct list *list) {
  for (uint32_t i = 0; i < list->count; i++) event_free(list->at[i]);
  ARRAY_FREE(list);
}

/* ------------------------------------------------------------------ zones and the world */

void world_open(struct world *world, uint64_t seed, uint32_t entities) {
  uint64_t random = seed;
  memset(world, 0, sizeof *world);
  world->random = random_next(&random);
  for (uint32_t z = 0; z < SIM_ZONES; z++) {
    struct zone *zone = &world->zones[z];
    zone->number = z;
    zone->random = random_next(&random);
    for (unsigned a = 0; a < ARCHETYPES; a++) {
      uint32_t wanted = (uint32_t)((uint64_t)entities * archetypes[a].percent / 100 / SIM_ZONES);
      zone->wanted[a] = wanted ? wanted : 1;
    }
  }
}

void zone_fill(struct zone *zone) {
  /* Archetypes in turns, as a level file would list them. */
  for (bool more = true; more;) {
    more = false;
    for (unsigned a = 0; a < ARCHETYPES; a++) {
      if (zone->table[a].count >= zone->wanted[a]) continue;
      zone_spawn(zone, (enum archetype)a, NULL);
      more = true;
    }
  }
}

void zone_close(struct zone *zone) {
  for (unsigned a = 0; a < ARCHETYPES; a++) {
    struct table *table = &zone->table[a];
    while (table->count) zone_despawn(zone, (enum archetype)a, table->count - 1);
    for (unsigned c = 0; c < COMPONENTS; c++) {
      if (table->column[c]) sim_free(table->column[c], table->room * sizeof(void *));
      table->column[c] = NULL;
    }
    table->room = 0;
    ARRAY_FREE(&zone->leaves[a]);
  }
  ARRAY_FREE(&zone->notes);
  for (unsigned z = 0; z < SIM_ZONES; z++) {
    events_free(&zone->post[z]);
    ARRAY_FREE(&zone->parcels[z]); /* empty between frames */
  }
  events_free(&zone->reports);
  events_free(&zone->orders);
}

static uint64_t digest_words(uint64_t digest, const void *data, size_t size) {
  const uint32_t *word = data;
  for (size_t i = 0; i < size / sizeof *word; i++) digest = (digest ^ word[i]) * 0x100000001b3u;
  return mix(digest);
}

uint64_t world_checksum(const struct world *world) {
  uint64_t digest = world->digest;
  for (unsigned z = 0; z < SIM_ZONES; z++) {
    const struct zone *zone = &world->zones[z];
    for (unsigned a = 0; a < ARCHETYPES; a++) {
      const struct table *table = &zone->table[a];
      for (uint32_t row = 0; row < table->count; row++)
        for (unsigned c = 0; c < COMPONENTS; c++) {
          const void *data = table->column[c] ? table->column[c][row] : NULL;
          if (data) digest = digest_words(digest, data, size_of((enum component)c, data));
        }
    }
    digest = mix(digest ^ zone->spawns) + zone->despawns + zone->migrations + zone->events;
  }
  return digest;
}

uint64_t world_population(const struct world *world) {
  uint64_t population = 0;
  for (unsigned z = 0; z < SIM_ZONES; z++)
    for (unsigned a = 0; a < ARCHETYPES; a++) population += world->zones[z].table[a].count;
  return population;
}
