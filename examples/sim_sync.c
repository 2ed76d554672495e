/* SPDX-License-Identifier: MIT */
/*
 * The sync point of a frame: events are made, sent, taken in and freed; entities despawn, migrate and spawn.  All
 * allocation of a running world happens here.  Post is taken in by the sender's number, so that the order, and with it
 * the outcome, does not depend on which worker was faster.
 */
#include "sim_world.h"

#include <string.h>

/* ------------------------------------------------------------------ playback */

static const uint32_t event_words[] = {
    [DAMAGE] = 4,  [SOUND] = 12, [TALK] = 24, [SUPPLY] = STORE_GOODS, [REPORT] = 60,
    [CONTACT] = 8, [BLAST] = 4,  [SWARM] = 4, [RELOAD] = 4,
};

/* As much of the entity as the kind of event tells; the least is its place and the amount. */
static void describe(const struct zone *zone, const struct note *note, struct event *event) {
  const struct table *table = &zone->table[note->archetype];
  const struct transform *t = component(table, TRANSFORM, note->row);
  memcpy(event->data, t->position, sizeof t->position);
  event->data[3] = note->amount;
  float *rest = event->data + 4;
  switch ((enum event_kind)event->kind) {
  case SOUND:
    for (int i = 0; i < 8; i++) rest[i] = note->amount / (float)(i + 1);
    break;
  case TALK:
    memcpy(rest, ((const struct mind *)component(table, MIND, note->row))->memory, 20 * sizeof *rest);
    break;
  case SUPPLY: {
    const struct store *store = component(table, STORE, note->row);
    for (int i = 0; i < STORE_GOODS; i++) event->data[i] = store->stock[i] * note->amount;
    break;
  }
  case REPORT: {
    /* A client is told of as many joints as it can see. */
    const struct rig *rig = component(table, RIG, note->row);
    memcpy(rest, rig->joints, (event->words - 4) * sizeof *rest);
    break;
  }
  case CONTACT:
    memcpy(rest, t->velocity, sizeof t->velocity), rest[3] = t->scale;
    break;
  case DAMAGE:
  case BLAST:
  case SWARM:
  case RELOAD:
    break;
  }
}

static void play_event(struct zone *zone, const struct note *note) {
  uint32_t words = event_words[note->event];
  if (note->event == REPORT) words = 8 + note->target % 14 * 4;
  struct event *event = event_new(&zone->allocations, (enum event_kind)note->event, words);
  event->target = note->target;
  event->from = zone->number;
  describe(zone, note, event);
  if (note->event == REPORT) {
    APPEND(&zone->reports, event);
  } else {
    APPEND(&zone->post[note->to], event);
  }
  zone->events++;
}

/* A new route in place of the one that is walked. */
static void play_route(struct zone *zone, uint32_t row) {
  struct table *table = &zone->table[CREATURE];
  struct mind *mind = component(table, MIND, row);
  const struct transform *t = component(table, TRANSFORM, row);
  struct route *old = component(table, ROUTE, row);
  if (old) sim_free(old, route_size(old));
  uint32_t count = ROUTE_LEAST + random_below(&zone->random, ROUTE_MOST - ROUTE_LEAST + 1);
  struct route *route = sim_alloc(sizeof *route + count * sizeof route->points[0]);
  zone->allocations++;
  route->count = count;
  route->next = 0;
  /* Now and then the goal is in another zone. */
  for (int i = 0; i < 2; i++) mind->goal[i] = random_float(&zone->random, -4, SIM_SIDE + 4);
  for (uint32_t p = 0; p < count; p++)
    for (int i = 0; i < 3; i++)
      route->points[p][i] = t->position[i] + (mind->goal[i] - t->position[i]) * (float)(p + 1) / (float)count;
  table->column[ROUTE][row] = route;
}

static void play_quench(struct zone *zone, uint32_t row) {
  void **status = &zone->table[CREATURE].column[STATUS][row];
  sim_free(*status, sizeof(struct status));
  *status = NULL;
}

/* From the last row to the first: a row that fills a gap has been seen already. */
static void play_leaves(struct zone *zone, enum archetype archetype) {
  struct leaves *leaves = &zone->leaves[archetype];
  while (leaves->count) {
    struct leave leave = leaves->at[--leaves->count];
    if (leave.to != GONE) {
      struct parcel *parcel = zone_pack(zone, archetype, leave.row);
      APPEND(&zone->parcels[leave.to], parcel);
    } else if (zone->fault) {
      zone->fault = false;
    } else {
      zone_despawn(zone, archetype, leave.row);
    }
  }
}

void zone_playback(struct zone *zone) {
  for (uint32_t i = 0; i < zone->notes.count; i++) {
    const struct note *note = &zone->notes.at[i];
    switch ((enum note_kind)note->kind) {
    case NOTE_EVENT:
      play_event(zone, note);
      break;
    case NOTE_ROUTE:
      play_route(zone, note->row);
      break;
    case NOTE_QUENCH:
      play_quench(zone, note->row);
      break;
    }
  }
  zone->notes.count = 0;
  for (unsigned a = 0; a < ARCHETYPES; a++) play_leaves(zone, (enum archetype)a);
}

/* ------------------------------------------------------------------ exchange: post */

static void take_damage(struct zone *zone, const struct event *event) {
  static const uint8_t hit[4] = {CREATURE, CREATURE, VEHICLE, STRUCTURE};
  enum archetype archetype = hit[event->target % 4];
  struct table *table = &zone->table[archetype];
  if (!table->count) return;
  uint32_t row = event->target / 4 % table->count;
  struct health *health = component(table, HEALTH, row);
  health->now -= event->data[3];
  health->hits++;
  /* Sparks fly, and a creature may catch fire. */
  for (uint32_t i = event->target % 5; i < 8; i++) zone_spawn(zone, DEBRIS, event->data);
  if (archetype == CREATURE && !table->column[STATUS][row]) {
    struct status *status = sim_alloc(sizeof *status);
    zone->allocations++;
    *status = (struct status){.heat = event->data[3], .harm = 0.004f, .left = 12, .source = event->from};
    table->column[STATUS][row] = status;
  }
}

static void take(struct zone *zone, const struct event *event) {
  const struct table *creatures = &zone->table[CREATURE], *vehicles = &zone->table[VEHICLE];
  const struct table *structures = &zone->table[STRUCTURE];
  switch ((enum event_kind)event->kind) {
  case DAMAGE:
    take_damage(zone, event);
    break;
  case SOUND:
  case TALK:
    if (creatures->count) {
      struct mind *mind = component(creatures, MIND, event->target % creatures->count);
      for (uint32_t i = 4; i < event->words; i++) mind->memory[i - 4] += 1e-3f * (event->data[i] - mind->memory[i - 4]);
      mind->thoughts++;
    }
    break;
  case CONTACT:
    if (vehicles->count) {
      struct body *b = component(vehicles, BODY, event->target % vehicles->count);
      for (int i = 0; i < 3; i++) b->force[i] += 0.01f * event->data[4 + i] * event->data[7];
    }
    break;
  case SUPPLY:
    if (structures->count) {
      struct store *store = component(structures, STORE, event->target % structures->count);
      for (int i = 0; i < STORE_GOODS; i++) store->stock[i] += event->data[i];
    }
    break;
  case REPORT:
  case BLAST:
  case SWARM:
  case RELOAD:
    break;
  }
}

/* ------------------------------------------------------------------ exchange: orders */

/* Kills what is within the radius, and leaves debris behind. */
static void blast(struct zone *zone, const float *at, float radius) {
  uint32_t killed = 0;
  for (unsigned a = 0; a < ARCHETYPES; a++) {
    struct table *table = &zone->table[a];
    for (uint32_t row = table->count; row-- > 0;) {
      const struct transform *t = component(table, TRANSFORM, row);
      float dx = t->position[0] - at[0], dy = t->position[1] - at[1];
      if (dx * dx + dy * dy > radius * radius) continue;
      zone_despawn(zone, (enum archetype)a, row);
      if (a != DEBRIS) killed++;
    }
  }
  for (uint32_t i = 0; i < killed * 3; i++) zone_spawn(zone, DEBRIS, at);
}

static void swarm(struct zone *zone, const float *at) {
  for (uint32_t i = 0; i < zone->wanted[MISSILE]; i++) zone_spawn(zone, MISSILE, i % 2 ? at : NULL);
  for (uint32_t i = 0; i < zone->wanted[CREATURE] / 4; i++) zone_spawn(zone, CREATURE, NULL);
}

/* Another part of the map is streamed in. */
static void reload(struct zone *zone) {
  for (unsigned a = 0; a < ARCHETYPES; a++)
    while (zone->table[a].count) zone_despawn(zone, (enum archetype)a, zone->table[a].count - 1);
  zone_fill(zone);
}

static void obey(struct zone *zone, const struct event *order) {
  if (order->kind == BLAST) blast(zone, order->data, order->data[3]);
  if (order->kind == SWARM) swarm(zone, order->data);
  if (order->kind == RELOAD) reload(zone);
}

void zone_exchange(struct world *world, struct zone *zone) {
  for (unsigned z = 0; z < SIM_ZONES; z++) {
    struct list *post = &world->zones[z].post[zone->number];
    for (uint32_t i = 0; i < post->count; i++) {
      take(zone, post->at[i]);
      event_free(post->at[i]);
    }
    post->count = 0;
    struct list *parcels = &world->zones[z].parcels[zone->number];
    for (uint32_t i = 0; i < parcels->count; i++) zone_unpack(zone, parcels->at[i]);
    parcels->count = 0;
  }
  for (uint32_t i = 0; i < zone->orders.count; i++) {
    obey(zone, zone->orders.at[i]);
    event_free(zone->orders.at[i]);
  }
  zone->orders.count = 0;
  /* What has been lost comes back over the next frames. */
  for (unsigned a = 0; a < ARCHETYPES; a++) {
    uint32_t count = zone->table[a].count, wanted = zone->wanted[a];
    uint32_t lack = count < wanted ? wanted - count : 0;
    for (uint32_t i = 0; i < (lack + archetypes[a].recovery - 1) / archetypes[a].recovery; i++)
      zone_spawn(zone, (enum archetype)a, NULL);
  }
  zone->frame++;
}

/* ------------------------------------------------------------------ main */

static void order(struct world *world, struct zone *zone, enum event_kind kind) {
  struct event *event = event_new(&zone->allocations, kind, event_words[kind]);
  event->target = event->from = 0;
  for (int i = 0; i < 2; i++) event->data[i] = random_float(&world->random, 16, 48);
  event->data[2] = 1;
  event->data[3] = random_float(&world->random, 20, 30);
  APPEND(&zone->orders, event);
}

void world_direct(struct world *world) {
  uint64_t digest = world->digest;
  for (unsigned z = 0; z < SIM_ZONES; z++) {
    struct zone *zone = &world->zones[z];
    for (uint32_t i = 0; i < zone->reports.count; i++) {
      struct event *report = zone->reports.at[i];
      uint32_t word;
      for (uint32_t w = 0; w < report->words; w++) {
        memcpy(&word, &report->data[w], sizeof word);
        digest = (digest ^ word) * 0x100000001b3u;
      }
      event_free(report);
    }
    zone->reports.count = 0;
    digest = mix(digest ^ zone->spawns ^ zone->despawns << 32);
  }
  world->digest = digest;
  world->frame++;
  /* A burst in one frame of 20: in a quarter of the zones something blows up, swarms in or, rarely, is reloaded. */
  if (random_below(&world->random, 20)) return;
  world->bursts++;
  uint32_t dice = random_below(&world->random, 10);
  enum event_kind kind = dice < 6 ? BLAST : dice < 9 ? SWARM : RELOAD;
  uint32_t first = random_below(&world->random, SIM_ZONES);
  for (uint32_t i = 0; i < (kind == RELOAD ? 2 : 4); i++)
    order(world, &world->zones[(first + i * 5) % SIM_ZONES], kind);
}
