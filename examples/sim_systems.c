/* SPDX-License-Identifier: MIT */
/*
 * The hot loops: each walks the rows of one archetype and computes on its components in place.  What would change a
 * table or make an event is noted down for the sync point; nothing is allocated here, but for a list of notes that
 * grows.
 */
#include "sim_world.h"

#include <math.h>

#define STEP          0.25f /* of simulated time in a frame */
#define GRAVITY       0.2f
#define CONTACT_LEAST 0.1f /* a softer touch of the ground is no event */

/* ------------------------------------------------------------------ shared by all that moves */

/* Chance that is the entity's own: no shared generator in a hot loop. */
static uint32_t luck(const struct transform *t, uint32_t frame) {
  return (uint32_t)(mix(((uint64_t)t->id << 32) + frame) >> 32);
}

/* Returns the speed at which it hit the ground; 0 if it did not. */
static float bounce(struct transform *t, float kept) {
  if (t->position[2] >= 0) return 0;
  float speed = t->velocity[2];
  t->position[2] = -t->position[2];
  t->velocity[2] = -speed * kept;
  return speed < 0 ? -speed : 0;
}

static void turn(struct transform *t) {
  const float *s = t->spin;
  float *q = t->rotation, h = 0.5f * STEP;
  float w = q[0] - h * (s[0] * q[1] + s[1] * q[2] + s[2] * q[3]);
  float x = q[1] + h * (s[0] * q[0] + s[1] * q[3] - s[2] * q[2]);
  float y = q[2] + h * (s[1] * q[0] + s[2] * q[1] - s[0] * q[3]);
  float z = q[3] + h * (s[2] * q[0] + s[0] * q[2] - s[1] * q[1]);
  float scale = 1 / sqrtf(w * w + x * x + y * y + z * z);
  q[0] = w * scale;
  q[1] = x * scale;
  q[2] = y * scale;
  q[3] = z * scale;
}

static void push(struct transform *t, struct body *b) {
  float over_mass = STEP / b->mass;
  for (int i = 0; i < 3; i++) {
    t->velocity[i] = (t->velocity[i] + b->force[i] * over_mass) * b->drag;
    t->position[i] += t->velocity[i] * STEP;
    t->spin[i] += b->torque[i] * over_mass;
    b->force[i] = b->torque[i] = 0;
  }
  t->velocity[2] -= GRAVITY * STEP;
  bounce(t, b->bounce);
  turn(t);
}

/* Notes that the row leaves if it crossed a border; its position becomes that in the zone it enters. */
static bool crossed(struct zone *zone, enum archetype archetype, uint32_t row, struct transform *t) {
  int dx = (t->position[0] >= SIM_SIDE) - (t->position[0] < 0);
  int dy = (t->position[1] >= SIM_SIDE) - (t->position[1] < 0);
  if (!(dx | dy)) return false;
  t->position[0] -= (float)dx * SIM_SIDE;
  t->position[1] -= (float)dy * SIM_SIDE;
  unsigned x = (zone->number % SIM_ACROSS + SIM_ACROSS + (unsigned)dx) % SIM_ACROSS;
  unsigned y = (zone->number / SIM_ACROSS + SIM_ACROSS + (unsigned)dy) % SIM_ACROSS;
  struct leave leave = {row, y * SIM_ACROSS + x};
  APPEND(&zone->leaves[archetype], leave);
  return true;
}

static void dies(struct zone *zone, enum archetype archetype, uint32_t row) {
  struct leave leave = {row, GONE};
  APPEND(&zone->leaves[archetype], leave);
}

static void note(struct zone *zone, struct note note) { APPEND(&zone->notes, note); }

/* The zone itself, or one of those around it. */
static uint32_t nearby(const struct zone *zone, uint32_t chance) {
  static const uint8_t step[8] = {0, 0, 0, 0, 1, SIM_ACROSS, SIM_ZONES - 1, SIM_ZONES - SIM_ACROSS};
  return (zone->number + step[chance % 8]) % SIM_ZONES;
}

/* ------------------------------------------------------------------ one system an archetype */

static void update_debris(struct zone *zone, const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    struct transform *t = component(table, TRANSFORM, row);
    struct spark *s = component(table, SPARK, row);
    for (int i = 0; i < 3; i++) {
      t->velocity[i] *= s->drag;
      t->position[i] += t->velocity[i] * STEP;
    }
    t->velocity[2] -= GRAVITY * STEP;
    float impact = bounce(t, 0.7f);
    turn(t);
    s->heat *= s->cooling;
    s->size = 0.1f + 0.02f * sqrtf(s->heat);
    float glow = s->heat * (1 / 1600.0f);
    s->colour[0] = glow / (glow + 0.2f);
    s->colour[1] = glow * glow;
    s->colour[2] = glow * glow * glow;
    if (impact > CONTACT_LEAST)
      note(zone, (struct note){.kind = NOTE_EVENT,
                               .archetype = DEBRIS,
                               .row = row,
                               .event = CONTACT,
                               .to = zone->number,
                               .target = t->id,
                               .amount = impact});
    if (--s->frames_left == 0) {
      dies(zone, DEBRIS, row);
    } else {
      crossed(zone, DEBRIS, row, t);
    }
  }
}

static void update_missiles(struct zone *zone, const struct table *table) {
  const struct table *prey = &zone->table[CREATURE];
  for (uint32_t row = 0; row < table->count; row++) {
    struct transform *t = component(table, TRANSFORM, row);
    struct body *b = component(table, BODY, row);
    struct trail *trail = component(table, TRAIL, row);
    if (prey->count) {
      const struct transform *at = component(prey, TRANSFORM, trail->target % prey->count);
      float d[3], square = 0.01f;
      for (int i = 0; i < 3; i++) {
        d[i] = at->position[i] - t->position[i];
        square += d[i] * d[i];
      }
      float pull = 0.4f * b->mass / sqrtf(square);
      for (int i = 0; i < 3; i++) b->force[i] += d[i] * pull;
    }
    push(t, b);
    for (int p = 14; p > 0; p--)
      for (int i = 0; i < 3; i++) trail->points[p][i] += (trail->points[p - 1][i] - trail->points[p][i]) * 0.6f;
    for (int i = 0; i < 3; i++) trail->points[0][i] = t->position[i];
    trail->width = 0.2f + 0.01f * (float)trail->frames_left;
    if (--trail->frames_left == 0) {
      uint32_t chance = luck(t, zone->frame);
      note(zone, (struct note){.kind = NOTE_EVENT,
                               .archetype = MISSILE,
                               .row = row,
                               .event = DAMAGE,
                               .to = nearby(zone, chance),
                               .target = trail->target,
                               .amount = 20 + (float)(chance >> 8 & 63)});
      dies(zone, MISSILE, row);
    } else {
      crossed(zone, MISSILE, row, t);
    }
  }
}

/* What a creature sees and makes of it: reads somebody else's transform, wherever that lies. */
static void update_minds(struct zone *zone, const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    const struct transform *t = component(table, TRANSFORM, row);
    struct mind *mind = component(table, MIND, row);
    const struct transform *other = component(table, TRANSFORM, mind->target % table->count);
    float dx = other->position[0] - t->position[0], dy = other->position[1] - t->position[1];
    float near = mind->sight / (mind->sight + sqrtf(dx * dx + dy * dy));
    mind->fear = 0.95f * mind->fear + 0.05f * near;
    mind->anger = 0.97f * mind->anger + 0.03f * (1 - near) * mind->hunger;
    mind->hunger = fminf(mind->hunger + 0.001f, 1);
    float mood = mind->fear - mind->anger;
    for (int i = 0; i < 20; i++) mind->memory[i] = 0.98f * mind->memory[i] + 0.02f * mood * (float)(i - 10);
    if (mind->patience) {
      mind->patience--;
      continue;
    }
    uint32_t chance = luck(t, zone->frame);
    mind->patience = chance % 5;
    mind->state = (mind->state + 1) % 4;
    mind->target = chance >> 3;
    struct note said = {.kind = NOTE_EVENT,
                        .archetype = CREATURE,
                        .row = row,
                        .to = nearby(zone, chance >> 16),
                        .target = chance >> 5,
                        .amount = mood};
    /* Most thoughts are spoken; some are told to main, which keeps the clients up to date. */
    said.event = mind->state == 0 ? REPORT : mind->state == 1 ? SOUND : TALK;
    note(zone, said);
  }
}

static void update_rigs(const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    struct rig *rig = component(table, RIG, row);
    const struct transform *t = component(table, TRANSFORM, row);
    rig->phase += rig->pace;
    if (rig->phase > 6.2831853f) rig->phase -= 6.2831853f;
    float swing = sinf(rig->phase), lift = cosf(rig->phase), blend = rig->blend;
    for (int j = 0; j < RIG_JOINTS; j++) {
      float *q = rig->joints[j], side = j & 1 ? swing : lift;
      float w = q[0] + (1 - q[0]) * blend, x = q[1] + (side - q[1]) * blend;
      float y = q[2] + (t->rotation[2] - q[2]) * blend, z = q[3] + (t->rotation[3] - q[3]) * blend;
      float scale = 1 / sqrtf(w * w + x * x + y * y + z * z + 1e-9f);
      q[0] = w * scale;
      q[1] = x * scale;
      q[2] = y * scale;
      q[3] = z * scale;
    }
    rig->sway += (swing - rig->sway) * 0.1f;
  }
}

static void update_creatures(struct zone *zone, const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    struct transform *t = component(table, TRANSFORM, row);
    struct body *b = component(table, BODY, row);
    struct health *health = component(table, HEALTH, row);
    struct status *status = component(table, STATUS, row);
    struct route *route = component(table, ROUTE, row);
    if (route && route->next < route->count) {
      const float *goal = route->points[route->next];
      float dx = goal[0] - t->position[0], dy = goal[1] - t->position[1];
      float distance = sqrtf(dx * dx + dy * dy + 0.01f);
      b->force[0] += dx / distance * b->mass * 0.4f;
      b->force[1] += dy / distance * b->mass * 0.4f;
      if (distance < 4 || (luck(t, zone->frame) & 15) == 0) route->next++;
    } else {
      note(zone, (struct note){.kind = NOTE_ROUTE, .archetype = CREATURE, .row = row});
    }
    health->now = fminf(health->now + health->regrowth, health->most);
    if (status) {
      health->now -= status->harm * status->heat;
      status->heat *= 0.98f;
      status->left -= STEP;
      if (status->left <= 0) note(zone, (struct note){.kind = NOTE_QUENCH, .archetype = CREATURE, .row = row});
    }
    push(t, b);
    if (health->now <= 0) {
      dies(zone, CREATURE, row);
    } else {
      crossed(zone, CREATURE, row, t);
    }
  }
}

static void update_vehicles(struct zone *zone, const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    struct transform *t = component(table, TRANSFORM, row);
    struct body *b = component(table, BODY, row);
    const struct health *health = component(table, HEALTH, row);
    struct engine *engine = component(table, ENGINE, row);
    float load = 0;
    for (int i = 0; i < ENGINE_PARTS; i++) {
      engine->heat[i] += (20 + engine->throttle * 90 - engine->heat[i]) * 0.02f;
      engine->wear[i] += engine->heat[i] * 1e-6f;
      load += engine->wear[i];
    }
    uint32_t chance = luck(t, zone->frame);
    engine->turns += (800 + engine->throttle * 4000 - engine->turns) * 0.1f;
    engine->gear = 1 + (uint32_t)(engine->turns * 0.001f);
    engine->fuel -= engine->turns * 1e-6f;
    if ((chance & 63) == 0) engine->throttle = 0.2f + (float)(chance >> 24) * (1 / 320.0f);
    float drive = engine->throttle * b->mass * 0.2f / (1 + load);
    b->force[0] += drive * (1 - 2 * t->rotation[3] * t->rotation[3]);
    b->force[1] += drive * 2 * t->rotation[0] * t->rotation[3];
    push(t, b);
    if ((chance & 31) == 1)
      note(zone, (struct note){.kind = NOTE_EVENT,
                               .archetype = VEHICLE,
                               .row = row,
                               .event = SOUND,
                               .to = nearby(zone, chance >> 6),
                               .target = chance >> 9,
                               .amount = engine->turns});
    if (health->now <= 0 || engine->fuel <= 0) {
      dies(zone, VEHICLE, row);
    } else {
      crossed(zone, VEHICLE, row, t);
    }
  }
}

static void update_structures(struct zone *zone, const struct table *table) {
  for (uint32_t row = 0; row < table->count; row++) {
    const struct transform *t = component(table, TRANSFORM, row);
    struct health *health = component(table, HEALTH, row);
    struct store *store = component(table, STORE, row);
    for (int i = 0; i < STORE_GOODS; i++) {
      float stock = store->stock[i] * 0.995f + store->rate[i];
      store->stock[i] = stock < 0 ? 0 : stock;
    }
    health->now = fminf(health->now + health->regrowth, health->most);
    uint32_t chance = luck(t, zone->frame);
    if ((chance & 31) == 0)
      note(zone, (struct note){.kind = NOTE_EVENT,
                               .archetype = STRUCTURE,
                               .row = row,
                               .event = SUPPLY,
                               .to = nearby(zone, chance >> 5),
                               .target = chance >> 9,
                               .amount = 0.1f});
    if (health->now <= 0) dies(zone, STRUCTURE, row);
  }
}

void zone_update(struct zone *zone) {
  update_debris(zone, &zone->table[DEBRIS]);
  update_missiles(zone, &zone->table[MISSILE]);
  update_minds(zone, &zone->table[CREATURE]);
  update_rigs(&zone->table[CREATURE]);
  update_creatures(zone, &zone->table[CREATURE]);
  update_vehicles(zone, &zone->table[VEHICLE]);
  update_structures(zone, &zone->table[STRUCTURE]);
  for (unsigned a = 0; a < ARCHETYPES; a++) zone->updates += zone->table[a].count;
}
