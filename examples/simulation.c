/* SPDX-License-Identifier: MIT */
/*
 * The simulation's main program: options, workers, frames, the report.  See sim_world.h for what a frame is.
 *
 * Built twice from the same sources: `simulation` runs on copse, `simulation-system` on the system's malloc.  With the
 * same seed both print the same checksum.
 */
#include "sim_clock.h"
#include "sim_world.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The parameters stay as they are here: figures are compared over time.  They were chosen on glibc 2.36 for component
 * update to be at least half of a frame.  Measured on two cores that had little else to do, 12 runs of 400 frames:
 * median 64 % of a frame's time (ten of them 62 to 68 %; two that other programs disturbed 53 and 39 %); events, spawn
 * and despawn 16 %, main 1 %, waiting at barriers 18 %; a frame took 1.0 ms.  On a busy machine the waiting grows and
 * the share falls: work_update, about 79 %, leaves the waiting out.
 */
#define FRAMES   2400
#define ENTITIES 12000
#define THREADS  2
#define SEED     1

/* After the level is freed: trims, with a checkpoint of each worker after each, as in frames at rest. */
#define REST_FRAMES 4

struct options {
  uint64_t frames, entities, threads, seed;
  bool table, fault;
  const char *map;
};

enum job { FILL, FRAME, CLOSE, REST, STOP };

struct worker {
  struct game *game;
  unsigned number;
  pthread_t thread;
  uint64_t update, sync; /* nanoseconds */
} __attribute__((aligned(128)));

struct game {
  struct world world;
  struct worker workers[SIM_ZONES];
  unsigned threads;
  enum job job; /* written by main while the workers wait at `start` */
  pthread_barrier_t start, middle, end;
};

struct totals {
  uint64_t updates, churn, events, migrations, allocations;
};

struct result {
  uint64_t warmup, checksum, time, update, sync, main, bursts;
  uint64_t resident_start, resident_full, resident_peak, resident_trimmed, population;
  struct percentiles warmup_frames, frames;
  struct totals totals;
  bool counted; /* by the allocator, in the second half of the frames: */
  uint64_t system_calls, pool_locks;
};

/* ------------------------------------------------------------------ workers */

static void run_frame(struct worker *worker) {
  struct game *game = worker->game;
  struct world *world = &game->world;
  uint64_t begin = clock_now();
  for (unsigned z = worker->number; z < SIM_ZONES; z += game->threads) zone_update(&world->zones[z]);
  uint64_t updated = clock_now();
  for (unsigned z = worker->number; z < SIM_ZONES; z += game->threads) zone_playback(&world->zones[z]);
  uint64_t played = clock_now();
  pthread_barrier_wait(&game->middle);
  uint64_t met = clock_now();
  for (unsigned z = worker->number; z < SIM_ZONES; z += game->threads) zone_exchange(world, &world->zones[z]);
  sim_checkpoint();
  worker->update += updated - begin;
  worker->sync += played - updated + clock_now() - met;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  struct game *game = worker->game;
  for (;;) {
    pthread_barrier_wait(&game->start);
    switch (game->job) {
    case FILL:
      for (unsigned z = worker->number; z < SIM_ZONES; z += game->threads) zone_fill(&game->world.zones[z]);
      break;
    case FRAME:
      run_frame(worker);
      break;
    case CLOSE:
      for (unsigned z = worker->number; z < SIM_ZONES; z += game->threads) zone_close(&game->world.zones[z]);
      break;
    case REST:
      sim_checkpoint();
      break;
    case STOP:
      return NULL;
    }
    pthread_barrier_wait(&game->end);
  }
}

static void start_workers(struct game *game) {
  pthread_barrier_init(&game->start, NULL, game->threads + 1);
  pthread_barrier_init(&game->middle, NULL, game->threads);
  pthread_barrier_init(&game->end, NULL, game->threads + 1);
  for (unsigned w = 0; w < game->threads; w++) {
    struct worker *worker = &game->workers[w];
    worker->game = game;
    worker->number = w;
    int error = pthread_create(&worker->thread, NULL, work, worker);
    if (!error) continue;
    fprintf(stderr, "simulation: cannot start worker %u: %s\n", w, strerror(error));
    exit(1);
  }
}

static void do_job(struct game *game, enum job job) {
  game->job = job;
  pthread_barrier_wait(&game->start);
  if (job == STOP) {
    for (unsigned w = 0; w < game->threads; w++) pthread_join(game->workers[w].thread, NULL);
  } else {
    pthread_barrier_wait(&game->end);
  }
}

/* ------------------------------------------------------------------ a run */

static struct totals totals_now(const struct world *world) {
  struct totals totals = {0};
  for (unsigned z = 0; z < SIM_ZONES; z++) {
    const struct zone *zone = &world->zones[z];
    totals.updates += zone->updates;
    totals.churn += zone->spawns + zone->despawns;
    totals.events += zone->events;
    totals.migrations += zone->migrations;
    totals.allocations += zone->allocations;
  }
  return totals;
}

/* Returns the time that main's part took. */
static uint64_t run_frames(struct game *game, uint64_t *times, uint64_t n) {
  uint64_t directing = 0;
  for (uint64_t f = 0; f < n; f++) {
    uint64_t begin = clock_now();
    world_direct(&game->world);
    directing += clock_now() - begin;
    do_job(game, FRAME);
    sim_checkpoint();
    times[f] = clock_now() - begin;
  }
  return directing;
}

/* `times` has room for all frames. */
static void run(struct game *game, const struct options *options, uint64_t *times, struct result *result) {
  struct world *world = &game->world;
  result->resident_start = resident_now();
  world_open(world, options->seed, (uint32_t)options->entities);
  start_workers(game);
  do_job(game, FILL);
  run_frames(game, times, result->warmup);

  struct totals before = totals_now(world), after;
  for (unsigned w = 0; w < game->threads; w++) game->workers[w].update = game->workers[w].sync = 0;
  world->bursts = 0;
  /* The fault is planted half-way. */
  uint64_t half = options->frames / 2;
  result->main = run_frames(game, times + result->warmup, half);
  world->zones[0].fault = options->fault;
  uint64_t calls, locks;
  sim_counted(&calls, &locks);
  result->main += run_frames(game, times + result->warmup + half, options->frames - half);

  result->counted = sim_counted(&result->system_calls, &result->pool_locks);
  result->system_calls -= calls;
  result->pool_locks -= locks;

  after = totals_now(world);
  result->totals =
      (struct totals){after.updates - before.updates, after.churn - before.churn, after.events - before.events,
                      after.migrations - before.migrations, after.allocations - before.allocations};
  result->bursts = world->bursts;
  for (uint64_t f = 0; f < options->frames; f++) result->time += times[result->warmup + f];
  for (unsigned w = 0; w < game->threads; w++) {
    result->update += game->workers[w].update / game->threads;
    result->sync += game->workers[w].sync / game->threads;
  }
  result->warmup_frames = percentiles_of(times, result->warmup);
  result->frames = percentiles_of(times + result->warmup, options->frames);
  result->checksum = world_checksum(world);
  result->population = world_population(world);
  result->resident_full = resident_now();
  if (options->map) sim_map(options->map);

  do_job(game, CLOSE);
  for (unsigned i = 0; i < REST_FRAMES; i++) {
    sim_trim();
    do_job(game, REST);
  }
  result->resident_trimmed = resident_now();
  result->resident_peak = resident_peak();
  do_job(game, STOP);
}

/* ------------------------------------------------------------------ the report */

static void report(const struct options *options, const struct result *result) {
  const struct totals *totals = &result->totals;
  double time = (double)result->time, seconds = time * 1e-9;
  double update = (double)result->update, sync = (double)result->sync, directing = (double)result->main;
  double work = update + sync + directing;
  const struct {
    const char *key, *unit, *text;
    int digits;
    double value;
  } rows[] = {
      {"seconds", "s", "measured time", 3, seconds},
      {"population", "", "entities at the end", 0, (double)result->population},
      {"updates_per_s", "/s", "entity updates", 0, (double)totals->updates / seconds},
      {"churn_per_s", "/s", "spawns and despawns", 0, (double)totals->churn / seconds},
      {"events_per_s", "/s", "events", 0, (double)totals->events / seconds},
      {"migrations_per_s", "/s", "migrations", 0, (double)totals->migrations / seconds},
      {"allocations_per_s", "/s", "allocations", 0, (double)totals->allocations / seconds},
      {"bursts", "", "frames with a burst", 0, (double)result->bursts},
      {"warmup_p50_us", "us", "warm-up frame, p50", 1, (double)result->warmup_frames.p50 * 1e-3},
      {"warmup_max_us", "us", "warm-up frame, max", 1, (double)result->warmup_frames.most * 1e-3},
      {"frame_p50_us", "us", "frame, p50", 1, (double)result->frames.p50 * 1e-3},
      {"frame_p99_us", "us", "frame, p99", 1, (double)result->frames.p99 * 1e-3},
      {"frame_p999_us", "us", "frame, p99.9", 1, (double)result->frames.p999 * 1e-3},
      {"frame_max_us", "us", "frame, max", 1, (double)result->frames.most * 1e-3},
      {"share_update", "%", "of a frame: component update", 1, 100 * update / time},
      {"share_sync", "%", "of a frame: events, spawn, despawn", 1, 100 * sync / time},
      {"share_main", "%", "of a frame: the main thread's part", 1, 100 * directing / time},
      {"share_wait", "%", "of a frame: waiting at barriers", 1, 100 * (time - work) / time},
      {"work_update", "%", "of the work: component update", 1, 100 * update / work},
      {"start_kb", "KB", "resident at the start", 0, (double)result->resident_start},
      {"full_kb", "KB", "resident after the last frame", 0, (double)result->resident_full},
      {"peak_kb", "KB", "resident, peak", 0, (double)result->resident_peak},
      {"trimmed_kb", "KB", "resident when all is freed, trimmed", 0, (double)result->resident_trimmed},
  };
  printf(options->table ? "%-36s %16s\n" : "%s=%s\n", "allocator", SIM_ALLOCATOR);
  const struct {
    const char *key;
    uint64_t value;
  } inputs[] = {{"seed", options->seed},
                {"threads", options->threads},
                {"entities", options->entities},
                {"frames", options->frames},
                {"warmup_frames", result->warmup}};
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
    printf(options->table ? "%-36s %16" PRIu64 "\n" : "%s=%" PRIu64 "\n", inputs[i].key, inputs[i].value);
  printf(options->table ? "%-36s %16" PRIx64 "\n" : "%s=%016" PRIx64 "\n", "checksum", result->checksum);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (options->table) {
      printf("%-36s %16.*f %s\n", rows[i].text, rows[i].digits, rows[i].value, rows[i].unit);
    } else {
      printf("%s=%.*f\n", rows[i].key, rows[i].digits, rows[i].value);
    }
  }
  sim_map_print(options->table);
  if (!result->counted) return;
  printf(options->table ? "%-36s %16" PRIu64 "\n" : "%s=%" PRIu64 "\n",
         options->table ? "system calls, second half of frames" : "steady_system_calls", result->system_calls);
  printf(options->table ? "%-36s %16" PRIu64 "\n" : "%s=%" PRIu64 "\n",
         options->table ? "pools' locks taken, likewise" : "steady_pool_locks", result->pool_locks);
}

/* ------------------------------------------------------------------ options */

static void usage(void) {
  printf("Usage: simulation [OPTION...]\n"
         "A world of entities and components on %s, for a number of frames; prints key=value lines.\n\n"
         "  --frames N    frames to measure, after a tenth of that to warm up (%d)\n"
         "  --entities N  about how many there are at a time (%d)\n"
         "  --threads N   workers, next to the main thread: 1 to %d (%d)\n"
         "  --seed N      same seed, same checksum (%d)\n"
         "  --tune NAME=VALUE  set a parameter of copse, see copse(7)\n"
         "  --map FILE    write what is where after the last frame, for copse-map to draw\n"
         "  --table       print a table for people instead\n"
         "  --help        print this\n",
         strcmp(SIM_ALLOCATOR, "copse") ? "the system's malloc" : "copse", FRAMES, ENTITIES, SIM_ZONES, THREADS, SEED);
}

static _Noreturn void refuse(const char *what, const char *word) {
  fprintf(stderr, "simulation: %s '%s'; try --help\n", what, word);
  exit(2);
}

static uint64_t number(const char *word, uint64_t least, uint64_t most) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(word, &end, 10);
  if (*word < '0' || *word > '9' || *end || errno || value < least || value > most) refuse("bad number", word);
  return value;
}

static void tune(const char *word) {
  char name[32];
  const char *equals = strchr(word, '=');
  if (!equals || (size_t)(equals - word) >= sizeof name) refuse("no parameter", word);
  memcpy(name, word, (size_t)(equals - word));
  name[equals - word] = 0;
  if (sim_tune(name, number(equals + 1, 0, UINT64_MAX))) refuse("no parameter, or not its range", word);
}

static void map_to(struct options *options, const char *name) {
  if (!SIM_HAS_MAP) refuse("copse alone has a map for", name);
  options->map = name;
}

static struct options parse(char **words) {
  struct options options = {FRAMES, ENTITIES, THREADS, SEED, false, false, NULL};
  const struct {
    const char *name;
    uint64_t least, most, *value;
  } numbers[] = {{"--frames", 2, 10000000, &options.frames},
                 {"--entities", 100, 100000000, &options.entities},
                 {"--threads", 1, SIM_ZONES, &options.threads},
                 {"--seed", 0, UINT64_MAX, &options.seed}};
  const size_t count = sizeof numbers / sizeof *numbers;
  for (char **word = words; *word; word++) {
    size_t i = 0;
    while (i < count && strcmp(*word, numbers[i].name)) i++;
    if (i < count) {
      if (!word[1]) refuse("no number after", *word);
      word++;
      *numbers[i].value = number(*word, numbers[i].least, numbers[i].most);
    } else if (!strcmp(*word, "--tune")) {
      if (!word[1]) refuse("no parameter after", *word);
      tune(*++word);
    } else if (!strncmp(*word, "--map=", 6)) {
      map_to(&options, *word + 6);
    } else if (!strcmp(*word, "--map")) {
      if (!word[1]) refuse("no file after", *word);
      map_to(&options, *++word);
    } else if (!strcmp(*word, "--table")) {
      options.table = true;
    } else if (!strcmp(*word, "--plant-fault")) {
      /* For the test of the checksum: one death is overlooked. */
      options.fault = true;
    } else if (!strcmp(*word, "--help")) {
      usage();
      exit(0);
    } else {
      refuse("unknown option", *word);
    }
  }
  return options;
}

int main(int argc, char **argv) {
  static struct game game;
  struct result result = {0};
  struct options options = parse(argc ? argv + 1 : argv);
  result.warmup = (options.frames + 9) / 10;
  /* The stopwatch's own memory is the C library's in both builds, and touched before the first measurement. */
  size_t room = (size_t)(options.frames + result.warmup) * sizeof(uint64_t);
  uint64_t *times = malloc(room);
  if (!times) sim_out_of_memory(room);
  memset(times, 0, room);
  game.threads = (unsigned)options.threads;
  run(&game, &options, times, &result);
  report(&options, &result);
  free(times);
  if (fflush(stdout) || ferror(stdout)) {
    fprintf(stderr, "simulation: cannot write the report\n");
    return 1;
  }
  return 0;
}
