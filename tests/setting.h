/* SPDX-License-Identifier: MIT */
/* Numbers of the running system, which a test may change for a moment where it is root; whoever changes one restores it. */
#ifndef COPSE_TESTS_SETTING_H
#define COPSE_TESTS_SETTING_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* From here to setting_unlock no other test changes it: two that restored what they had read would leave it changed. */
static inline int setting_lock(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) flock(file, LOCK_EX);
  return file;
}
/* The same, but -1 where others do not let go of it for so long: those who share it may follow one another without an end. */
static inline int setting_lock_within(const char *path, int seconds) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  for (int tries = 10 * seconds; file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0; tries--) {
    if (tries <= 0) {
      close(file);
      return -1;
    }
    usleep(100000);
  }
  return file;
}
static inline void setting_unlock(int file) {
  if (file >= 0) close(file);
}

/* -1: there is no such number. */
static inline long setting_read(const char *path) {
  long n = -1;
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  if (fscanf(file, "%ld", &n) != 1) n = -1;
  fclose(file);
  return n;
}

/* Whether it has the value now. */
static inline bool setting_write(const char *path, long n) {
  FILE *file = fopen(path, "w");
  if (!file) return false;
  bool written = fprintf(file, "%ld\n", n) > 0;
  return fclose(file) == 0 && written && setting_read(path) == n;
}

/*
 * From setting_guard to setting_unguard a signal that ends this process puts the number back first: an alarm, or whoever tired of
 * waiting.  One number at a time.
 */
static const char *setting_guarded;
static char setting_before[24];

__attribute__((unused)) static void setting_put_back(int signal_number) {
  int file = open(setting_guarded, O_WRONLY | O_CLOEXEC);
  ssize_t written = file >= 0 ? write(file, setting_before, strlen(setting_before)) : 0;
  (void)written; /* nothing is left to be done */
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static inline void setting_handle(void (*handler)(int)) {
  static const int ends[] = {SIGALRM, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) signal(ends[i], handler);
}
static inline void setting_guard(const char *path, long before) {
  snprintf(setting_before, sizeof setting_before, "%ld\n", before);
  setting_guarded = path;
  setting_handle(setting_put_back);
}
static inline void setting_unguard(void) { setting_handle(SIG_DFL); }

/* A line "name:  number kB" of /proc/meminfo, in bytes; 0: there is none. */
static inline unsigned long long setting_meminfo(const char *name) {
  char line[128];
  unsigned long long bytes = 0, n;
  FILE *file = fopen("/proc/meminfo", "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), ": %llu", &n) == 1) bytes = n << 10;
  fclose(file);
  return bytes;
}

#endif
