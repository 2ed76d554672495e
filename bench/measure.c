/* SPDX-License-Identifier: MIT */
/*
 * Runs a real program and measures it: `measure PRELOAD COMMAND [ARG ...]`, where PRELOAD is a library or "".
 *
 * A process of its own, because a child's peak memory starts at what its parent had when it forked: this one is small.
 * The figures go to descriptor 3, the program's own output stays where it is.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: measure PRELOAD COMMAND [ARG ...]\n");
    return 2;
  }
  double start = now();
  pid_t child = fork();
  if (child < 0) {
    perror("measure: fork");
    return 2;
  }
  if (child == 0) {
    if (*argv[1]) setenv("LD_PRELOAD", argv[1], 1);
    close(3);
    execvp(argv[2], argv + 2);
    fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
    _exit(127);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 2;
  double end = now();
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  dprintf(3, "{\"wall\": %.6f, \"cpu\": %.6f, \"peak\": %llu, \"status\": %d}\n", end - start,
          seconds(usage.ru_utime) + seconds(usage.ru_stime), (unsigned long long)usage.ru_maxrss * 1024, code);
  return 0;
}
