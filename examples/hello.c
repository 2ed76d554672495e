/* SPDX-License-Identifier: MIT */
/*
 * copse in thirty lines: allocate, free with the size, many at once, give memory back.
 * cc hello.c $(pkg-config --cflags --libs copse)
 */
#include <copse.h>
#include <stdio.h>

struct particle {
  float position[3], velocity[3], age;
};

int main(void) {
  /* One object.  You know its size when you free it: say so. */
  struct particle *one = copse_alloc(sizeof *one);
  if (!one) return 1;
  *one = (struct particle){.velocity = {0, 0, 1}};
  copse_free(one, sizeof *one);

  /* A burst: what could not be had is missing at the end. */
  void *many[1000];
  size_t got = copse_alloc_batch(sizeof(struct particle), 1000, many);
  copse_free_batch(sizeof(struct particle), got, many);

  /* At rest, the memory that is free goes back to the system; what it keeps warm goes with a later trim. */
  size_t given = copse_trim();
  printf("copse %s: %zu particles came and went, %zu bytes went back\n", copse_version(), got, given);
  return 0;
}
