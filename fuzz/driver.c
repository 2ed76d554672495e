/* SPDX-License-Identifier: MIT */
/*
 * A main for the targets, where no engine brings one: runs each file, and each file of each directory, that it is given; "-", or
 * nothing, is standard input.  Says how many inputs there were.  The one that ends the process, or takes too long, is named.
 */
#include "target.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MOST = 1 << 20, PATH_MOST = 4096, SECONDS_MOST = 100 };

static uint8_t input[INPUT_MOST];
static char current[PATH_MOST + 32];
static unsigned long inputs;

static void name_it(int number) {
  if (write(STDERR_FILENO, current, strlen(current)) < 0) _exit(3);
  signal(number, SIG_DFL);
  raise(number);
}

static int run(const char *path) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  size_t size = fread(input, 1, sizeof input, file);
  if (file != stdin) fclose(file);
  snprintf(current, sizeof current, "the input was %.*s\n", (int)PATH_MOST, path);
  /* A copy of just its length, so that tools see who reads behind it. */
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) return 1;
  memcpy(copy, input, size);
  alarm(SECONDS_MOST);
  LLVMFuzzerTestOneInput(copy, size);
  alarm(0);
  free(copy);
  inputs++;
  return 0;
}

static int visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int run_all(const char *path) {
  struct stat info;
  if (strcmp(path, "-") == 0 || stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return run(path);
  struct dirent **entries;
  int n = scandir(path, &entries, visible, alphasort), status = 0;
  if (n < 0) {
    perror(path);
    return 1;
  }
  for (int i = 0; i < n; i++) {
    char name[PATH_MOST];
    if (snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name) < (int)sizeof name) status |= run_all(name);
    free(entries[i]);
  }
  free(entries);
  return status;
}

int main(int argc, char **argv) {
  static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM, SIGTERM};
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], name_it);
  int status = 0;
  if (argc < 2) status = run("-");
  for (int i = 1; i < argc; i++) status |= run_all(argv[i]);
  printf("%lu inputs\n", inputs);
  return status || !inputs;
}
