/* SPDX-License-Identifier: MIT */
/*
 * Mistakes to try the instrumented library with; doc/DEBUGGING goes through them.
 *
 *   mistakes stale       writes to what it freed
 *   mistakes twice       frees a particle twice
 *   mistakes beyond      writes one byte too many
 *   mistakes unwritten   decides by bytes that it never wrote
 *   mistakes forgotten   never frees
 *   mistakes race        frees what another thread may still be using
 *   mistakes none
 */
#include <copse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct particle {
  double x, y, z;
  char name[20];
};

__attribute__((noinline)) struct particle *spawn(void) {
  struct particle *p = copse_alloc(sizeof *p);
  if (!p) exit(1);
  return p;
}

__attribute__((noinline)) void destroy(struct particle *p) { copse_free(p, sizeof *p); }

__attribute__((noinline)) void move(struct particle *p) { p->x = 1; }

__attribute__((noinline)) void label(char *name, int length) { memset(name, '-', (size_t)length); }

__attribute__((noinline)) int is_moving(const struct particle *p) {
  if (p->x > 0) return 1;
  return 0;
}

static void *another_thread(void *p) {
  move(p);
  return NULL;
}

int main(int argc, char **argv) {
  const char *mistake = argc > 1 ? argv[1] : "none";
  int status = 0;
  struct particle *p = spawn();
  if (!strcmp(mistake, "stale")) {
    destroy(p);
    move(p);
    copse_trim(); /* without a tool this is where it is found, or when the memory is used again */
  } else if (!strcmp(mistake, "twice")) {
    destroy(p);
    destroy(p);
  } else if (!strcmp(mistake, "beyond")) {
    label(p->name, (int)sizeof *p - 24 + (argc > 0));
    destroy(p);
  } else if (!strcmp(mistake, "unwritten")) {
    status = is_moving(p);
    destroy(p);
  } else if (!strcmp(mistake, "forgotten")) {
    copse_tune_set("leaks", 2);
  } else if (!strcmp(mistake, "race")) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, another_thread, p) != 0) return 1;
    usleep(100000); /* a wait is not an order */
    destroy(p);
    pthread_join(thread, NULL);
  } else {
    destroy(p);
  }
  return status;
}
