/* SPDX-License-Identifier: MIT */
/*
 * What entities are made of.  Each component is an allocation of its own, and holds 4-byte words only: no padding and
 * no pointer, so that the checksum can take all of it.
 */
#ifndef SIM_COMPONENTS_H
#define SIM_COMPONENTS_H

#include <stdint.h>

enum component {
  TRANSFORM, /*  64 */
  BODY,      /*  48 */
  HEALTH,    /*  16 */
  SPARK,     /*  32 */
  TRAIL,     /* 192 */
  MIND,      /* 128 */
  RIG,       /* 512 */
  ENGINE,    /*  96 */
  STORE,     /* 256 */
  STATUS,    /*  24, comes and goes with fire */
  ROUTE,     /*  56 to 488, a new one whenever the last is walked */
  COMPONENTS
};

enum archetype { DEBRIS, MISSILE, CREATURE, VEHICLE, STRUCTURE, ARCHETYPES };

struct transform {
  float position[3], velocity[3], rotation[4], spin[3], scale;
  uint32_t id, born;
};

struct body {
  float force[3], torque[3], extent[3], mass, drag, bounce;
};

struct health {
  float now, most, regrowth;
  uint32_t hits;
};

/* Of debris. */
struct spark {
  float heat, cooling, drag, size, colour[3];
  uint32_t frames_left;
};

/* Of missiles: where it has been. */
struct trail {
  float points[15][3], width;
  uint32_t frames_left, target;
};

/* Of creatures. */
struct mind {
  float goal[3], fear, hunger, anger, sight, memory[20];
  uint32_t state, target, patience, thoughts, luck;
};

#define RIG_JOINTS 31
struct rig {
  float joints[RIG_JOINTS][4], phase, pace, blend, sway;
};

#define ENGINE_PARTS 10
struct engine {
  float heat[ENGINE_PARTS], wear[ENGINE_PARTS], turns, fuel, throttle;
  uint32_t gear;
};

#define STORE_GOODS 32
struct store {
  float stock[STORE_GOODS], rate[STORE_GOODS];
};

struct status {
  float heat, harm, left, spread, armour;
  uint32_t source;
};

#define ROUTE_LEAST 4
#define ROUTE_MOST  40
struct route {
  uint32_t count, next;
  float points[][3];
};

_Static_assert(sizeof(struct transform) == 64 && sizeof(struct body) == 48 && sizeof(struct health) == 16, "sizes");
_Static_assert(sizeof(struct spark) == 32 && sizeof(struct trail) == 192 && sizeof(struct mind) == 128, "sizes");
_Static_assert(sizeof(struct rig) == 512 && sizeof(struct engine) == 96 && sizeof(struct store) == 256, "sizes");
_Static_assert(sizeof(struct status) == 24 && sizeof(struct route) == 8, "sizes");

#endif
